/**
 * Every page, dark and light, wide and narrow: it says its title, fits, has no complaint and nothing serious for axe-core. And the paths of
 * those who keep the service running.
 */
import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { accessible, browsing, dialogue, fits, heading, type Look, picture, signIn } from "./browser";

const visit = browsing();
const button = (page: Page, name: string) => page.getByRole("button", { name, exact: true });
const PAGES = [
  ["/", "My desktops", "studio-1"],
  ["/?all=true", "Everyone's desktops", "studio-4"],
  ["/pools", "Pools", "render"],
  ["/pools/workshop", "workshop", "front-desk"],
  ["/devices", "Devices", "rack-2"],
  ["/devices/rack-1", "rack-1", "debian-13.iso"],
  ["/devices/kvm", "kvm", "Port 1.2 has the keyboard and the screen."],
  ["/devices/build", "build", "1.2 of kvm, called build there"],
  ["/devices/node-7", "node-7", "System.Embedded.1"],
  ["/images", "Images", "windows-lab"],
  ["/users", "Users and groups", "jonas"],
  ["/users?tab=groups", "Users and groups", "contractors"],
  ["/users?tab=quotas", "Users and groups", "each member of a group"],
  ["/users?tab=disks", "Users and groups", "Orphaned"],
  ["/users?tab=directories", "Users and groups", "lab"],
  ["/users?tab=providers", "Users and groups", "Studio ID"],
  ["/sessions", "Sessions", "Mbit/s"],
  ["/recordings", "Recordings", "Cut off"],
  ["/operations", "Operations", "Installing packages"],
  ["/audit", "Audit", "Change pool"],
  ["/gpus", "GPUs", "M60-2Q"],
  ["/clouds", "Clouds", "oak"],
  ["/dashboard", "Dashboard", "Too few spares"],
  ["/webhooks", "Webhooks", "It answered with status 503"],
  ["/syslog", "Syslog", "The connection was refused"],
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
      await page.getByText(shows).filter({ visible: true }).first().waitFor();
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
    ["helpdesk", ["Pools", "Devices", "Users and groups", "Sessions"], "Host"],
    [
      "auditor",
      [
        "Dashboard",
        "Pools",
        "Images",
        "Users and groups",
        "Sessions",
        "Recordings",
        "Operations",
        "Audit",
        "Webhooks",
        "Syslog",
        "GPUs",
        "Clouds",
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
    ["/devices", "No devices yet"],
    ["/gpus", "No GPU"],
    ["/dashboard", "There is no pool yet"],
    ["/webhooks", "Nobody is told"],
    ["/sessions", "Nobody is connected"],
    ["/recordings", "Nothing was recorded yet"],
    ["/operations", "Nothing has been run yet"],
    ["/users?tab=groups", "No groups yet"],
    ["/users?tab=quotas", "Nothing is limited yet"],
    ["/users?tab=disks", "No personal disks yet"],
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

test("a helpdesk looks at one session, says something and ends it", async () => {
  const { page, context, complaints } = await visit("helpdesk", "/sessions");
  await page.getByRole("gridcell").getByRole("link", { name: "helpdesk", exact: true }).click();
  await heading(page, "helpdesk: studio-1").waitFor();
  const parts = page.getByRole("list", { name: "Parts of the log-on" });
  await parts.getByText("First picture").waitFor();
  expect(await page.getByRole("list", { name: "Parts of the start" }).innerText()).toContain("28 s");
  await page.getByText(/^Now \d+ ms, mostly \d+ ms \(near\)/).waitFor();
  await page.getByText("192.0.2.17").waitFor();
  await accessible(page, "a session");
  await picture(page, "session");

  await button(page, "Message").click();
  const form = dialogue(page, "Say something to helpdesk");
  await form.getByLabel("Message").fill("Save your work");
  await form.getByRole("button", { name: "Say it" }).click();
  await page.getByText("It stands in helpdesk’s viewer now").waitFor();
  await button(page, "Disconnect").click();
  await dialogue(page, /End the connection of helpdesk/)
    .getByRole("button", { name: "End connection" })
    .click();
  await page.getByText("This connection has ended").waitFor();
  // What has ended is not found any more: the browser says so.
  expect(complaints.filter((one) => !one.includes("404"))).toEqual([]);
  await context.close();
});

test("the dashboard leads to what failed, and webhooks are made, tested and removed", async () => {
  const { page, context } = await visit("admin", "/dashboard");
  await page.getByRole("figure", { name: /^Desktops in use and on\. In use: now \d/ }).waitFor();
  await button(page, "Last week").click();
  await page.getByRole("list", { name: "Failures" }).getByRole("link", { name: "render-1" }).click();
  await heading(page, "Everyone's desktops").waitFor();

  await page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name: "Webhooks" }).click();
  await button(page, "New webhook").click();
  const form = dialogue(page, "New webhook");
  await form.getByLabel("Address").fill("http://log.example.net/");
  await form.getByText("Begin it with https://").waitFor();
  await form.getByLabel("Address").fill("https://log.example.net/");
  await form.getByLabel("Told of").fill("delete_*, change_pool");
  await form.getByRole("button", { name: "Add webhook" }).click();
  const secret = dialogue(page, "The webhook is there");
  expect(await secret.getByRole("textbox", { name: "Secret of the webhook" }).inputValue()).toMatch(/^whsec/);
  await secret.getByRole("button", { name: "Done" }).click();
  await button(page, "Test the webhook to https://log.example.net/").click();
  await page.getByText("https://log.example.net/ took a message").waitFor();
  await button(page, "Remove the webhook to https://log.example.net/").click();
  await button(page, "Remove webhook").click();
  await page
    .getByRole("gridcell", { name: "https://log.example.net/" })
    .first()
    .waitFor({ state: "detached" });
  await context.close();
});

test("bookings of a pool are a list, and a week", async () => {
  const { page, context } = await visit("admin", "/pools");
  await button(page, "Actions for lab").click();
  await page.getByRole("menuitem", { name: "Bookings…" }).click();
  const form = dialogue(page, "Bookings of lab");
  await form.getByRole("gridcell", { name: "mira", exact: true }).waitFor();
  await form.getByRole("button", { name: "Week", exact: true }).click();
  // The booking is tomorrow's, which may be of the next week.
  const week = form.getByRole("region", { name: "Bookings of the week" });
  await week.waitFor();
  if ((await week.getByText("mira").count()) === 0)
    await form.getByRole("button", { name: "The week after" }).click();
  await week.getByText("mira").first().waitFor();
  await accessible(page, "a week of bookings");
  await picture(page, "bookings-week");
  await context.close();
});
