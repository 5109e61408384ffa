/** Every page, dark and light, wide and narrow: it says its title, fits, has no complaint and nothing serious for axe-core. */
import { expect, test } from "vitest";
import { accessible, browsing, fits, heading, type Look, picture, signIn } from "./browser";

const visit = browsing();
const PAGES = [
  ["/", "My desktops", "studio-1"],
  ["/?all=true", "Everyone's desktops", "studio-4"],
  ["/pools", "Pools", "render"],
  ["/pools/workshop", "workshop", "front-desk"],
  ["/images", "Images", "windows-lab"],
  ["/users", "Users and groups", "jonas"],
  ["/users?tab=groups", "Users and groups", "contractors"],
  ["/users?tab=directories", "Users and groups", "lab"],
  ["/users?tab=providers", "Users and groups", "Studio ID"],
  ["/sessions", "Sessions", "Mbit/s"],
  ["/recordings", "Recordings", "Cut off"],
  ["/operations", "Operations", "Installing packages"],
  ["/audit", "Audit", "Change pool"],
  ["/gpus", "GPUs", "M60-2Q"],
  ["/host", "Host", "The data folder has 1.1 GiB left"],
  ["/account", "My account", "laptop"],
  ["/nowhere", "No such page", "There is nothing at this address"],
] as const;
/** Each scheme and each size once; all of them together where somebody wants to look at the pictures. */
const LOOKS: Look[] = [
  { scheme: "light", size: "desktop" },
  { scheme: "dark", size: "phone" },
  ...(process.env.ORIEL_PAGES_PICTURES
    ? ([
        { scheme: "dark", size: "desktop" },
        { scheme: "light", size: "phone" },
      ] as const)
    : []),
];

for (const look of LOOKS) {
  const name = `${look.scheme}-${look.size}`;

  test(`every page of an admin, ${name}`, async () => {
    const { page, context, url, complaints } = await visit(null, "/", look);
    await heading(page, "Sign in").waitFor();
    await page.getByRole("button", { name: "Continue with Studio ID" }).waitFor();
    await accessible(page, "sign in");
    await fits(page, "sign in");
    await picture(page, `sign-in-${name}`);
    await signIn(page, "admin");
    await heading(page, "My desktops").waitFor();
    for (const [path, title, shows] of PAGES) {
      await page.goto(url + path);
      await heading(page, title).waitFor();
      await page.getByText(shows).first().waitFor();
      expect(await page.title()).toBe(`${title} · Oriel`);
      await page.waitForTimeout(300);
      await picture(page, `${path.replace(/\W+/g, "") || "desktops"}-${name}`);
      await accessible(page, `${path} ${name}`);
      await fits(page, `${path} ${name}`);
    }
    expect(complaints).toEqual([]);
    await context.close();
  });

  test(`pages with little or nothing on them, ${name}`, async () => {
    for (const [who, title, shows] of [
      ["newcomer", "Choose your password", "Welcome, newcomer"],
      ["two-factor", "Second factor", "Your password is right, two-factor"],
      ["must-enrol", "Set up a second factor", "Code that the app shows"],
      ["empty", "My desktops", "Nobody has given you a desktop"],
      ["fresh-admin", "My desktops", "Get an image"],
      ["broken", "My desktops", "The database did not answer."],
      ["slow", "My desktops", "Loading desktops"],
    ] as const) {
      const { page, context, complaints } = await visit(who, "/", look);
      await heading(page, title).waitFor();
      await page.getByText(shows).first().waitFor({ state: "attached" });
      await page.waitForTimeout(300);
      await picture(page, `${who}-${name}`);
      await accessible(page, `${who} ${name}`);
      await fits(page, `${who} ${name}`);
      expect(complaints).toEqual([]);
      await context.close();
    }
  });
}

test("roles see the pages that are theirs, and buttons say what is not", async () => {
  for (const [who, pages, not] of [
    ["helpdesk", ["Pools", "Users and groups", "Sessions"], "Host"],
    [
      "auditor",
      [
        "Pools",
        "Images",
        "Users and groups",
        "Sessions",
        "Recordings",
        "Operations",
        "Audit",
        "GPUs",
        "Host",
      ],
      "",
    ],
  ] as const) {
    const { page, context, url } = await visit(who);
    await heading(page, "My desktops").waitFor();
    const nav = page.getByRole("navigation", { name: "Pages" });
    expect(await nav.getByRole("link").allInnerTexts()).toEqual(["My desktops", ...pages]);
    await nav.getByRole("link", { name: "Users and groups" }).click();
    await page.getByRole("button", { name: "New user" }).hover();
    await page.getByText(`Your role (${who}) does not include this`).waitFor();
    await accessible(page, `users, ${who}`);
    if (not) {
      await page.goto(`${url}/${not.toLowerCase()}`);
      await page.getByText("This page is not for your role").waitFor();
    }
    await context.close();
  }
});

test("the lists of a house where nothing was made say how to begin", async () => {
  const { page, context, url } = await visit("fresh-admin");
  await heading(page, "My desktops").waitFor();
  for (const [path, shows] of [
    ["/images", "No images yet"],
    ["/pools", "No pools yet"],
    ["/gpus", "No GPU"],
    ["/sessions", "Nobody is connected"],
    ["/recordings", "Nothing was recorded yet"],
    ["/operations", "Nothing has been run yet"],
    ["/users?tab=groups", "No groups yet"],
    ["/users?tab=directories", "No directories yet"],
    ["/users?tab=providers", "No providers yet"],
    ["/account", "No tokens"],
  ] as const) {
    await page.goto(url + path);
    await page.getByText(shows).waitFor();
    await accessible(page, `${path}, empty`);
  }
  await context.close();
});
