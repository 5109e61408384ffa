/** Every page at the real server: it says its title, and axe-core finds nothing serious. */
import { readFileSync } from "node:fs";
import { afterEach, describe, expect, it } from "vitest";
import { accessible, fillSignIn, plan, Visit } from "./oriel";

const PAGES = [
  ["/", "My desktops"],
  ["/?all=true", "Everyone's desktops"],
  ["/pools", "Pools"],
  ["/images", "Images"],
  ["/users", "Users and groups"],
  ["/users?tab=groups", "Users and groups"],
  ["/sessions", "Sessions"],
  ["/operations", "Operations"],
  ["/audit", "Audit"],
  ["/dashboard", "Dashboard"],
  ["/webhooks", "Webhooks"],
  ["/host", "Host"],
  ["/gpus", "GPUs"],
  ["/account", "My account"],
  ["/nowhere", "No such page"],
] as const;
const KINDS = ["rdp", "vnc", "ssh"] as const;

let visit: Visit;
afterEach(async () => {
  expect(visit.complaints).toEqual([]);
  await visit.close();
});

describe.each([{ dark: false }, { dark: true }])("%o", (look) => {
  it("the console's pages", async () => {
    visit = await Visit.start(look);
    const page = await visit.page();
    await page.getByRole("heading", { name: "Sign in", exact: true }).waitFor();
    await accessible(page, "signing in");
    await fillSignIn(page, plan.admin);
    await page.getByRole("heading", { name: "My desktops" }).waitFor();
    for (const [path, title] of PAGES) {
      await page.goto(new URL(path, page.url()).href);
      await page.getByRole("heading", { level: 1, name: title }).waitFor();
      await page.waitForLoadState("networkidle");
      await accessible(page, path);
    }
  });

  it("the viewer's pages", async () => {
    visit = await Visit.start(look);
    const desktop = await visit.desktop(await visit.signIn());
    for (const kind of KINDS) {
      const { page } = await visit.view(desktop, kind);
      await accessible(page, kind);
      // With the tools open.
      await page.keyboard.press("Control+Alt+Shift");
      const toolbar = page.getByRole("toolbar");
      const tools = await toolbar
        .getByRole("button", { expanded: false })
        .evaluateAll((buttons) => buttons.map((button) => button.getAttribute("aria-label") ?? ""));
      expect(tools.length, "tools with a panel").toBeGreaterThan(1);
      for (const name of tools) {
        await toolbar.getByRole("button", { name }).click();
        await accessible(page, `${kind}: ${name}`);
      }
      await toolbar.getByRole("button", { name: "Statistics" }).click();
      await page.getByText("Round trip").waitFor();
      await accessible(page, `${kind}: statistics`);
      await page.close();
    }
    const nothing = await visit.page("/viewer/?desktop=01a20451-0000-7000-8000-000000000000&kind=rdp");
    await nothing.getByText("There is no such desktop").waitFor();
    await accessible(nothing, "a desktop that is not there");
  });
});

it("the first password", async () => {
  visit = await Visit.start();
  const page = await visit.page();
  const [name = "", password = ""] = readFileSync(`${plan.folder}/first-login`, "utf8").trim().split(" ");
  await fillSignIn(page, { name, password });
  await page.getByRole("heading", { name: "Choose your password" }).waitFor();
  await accessible(page, "choosing a password");
});
