/** The real program, a real provider (oidc-provider, certified) and a real browser between them. */
import { rmSync, writeFileSync } from "node:fs";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { freePort, House } from "../e2e/house";
import { startProvider } from "../src/testing/provider.mjs";
import { ARGS, accessible, heading, picture } from "./browser";

const SECRET = "a secret between the two: 50% & more";

let house: House;
let provider: Awaited<ReturnType<typeof startProvider>>;
let browser: Browser;

beforeAll(async () => {
  house = await House.build(false);
  const port = await freePort();
  const secret = `${house.folder}/secret`;
  writeFileSync(secret, SECRET);
  await house.oriel("group", "create", "painters");
  await house.person("bob", "user", "ein anderes Passwort");
  const added = [
    ["--issuer", `http://localhost:${port}`, "--client-id", "oriel", "--secret-file", secret],
    ["--group", "painters=artists", "--role", "admin=admins"],
  ].flat();
  await house.oriel("provider", "add", "Studio ID", ...added);
  const { callback_path } = JSON.parse(await house.oriel("provider", "show", "studio id", "--json"));
  const callback = house.address + callback_path;
  provider = await startProvider({ port, client: "oriel", secret: SECRET, callback });
  browser = await chromium.launch({
    executablePath: process.env.ORIEL_CHROMIUM ?? "/usr/bin/chromium",
    args: ARGS,
  });
});
afterAll(async () => {
  await browser?.close();
  await provider?.close();
  await house?.stop();
  if (house) rmSync(house.folder, { recursive: true, force: true });
});

/** A browser of its own, which reaches this machine and nothing else. */
async function open(path = "/"): Promise<{ page: Page; context: BrowserContext }> {
  const context = await browser.newContext({ reducedMotion: "reduce" });
  context.setDefaultTimeout(15_000);
  await context.route(/^https?:\/\/(?!127\.0\.0\.1|localhost)/, (route) => route.abort());
  const page = await context.newPage();
  await page.goto(house.address + path);
  await page.getByRole("button", { name: "Continue with Studio ID" }).click();
  await page.getByPlaceholder("Enter any login").waitFor();
  return { page, context };
}

/** At the provider: who one is, and yes, where it does not know that already. */
async function asAt(page: Page, name: string, agrees = true): Promise<void> {
  await page.getByPlaceholder("Enter any login").fill(name);
  await page.getByPlaceholder("and password").fill("anything");
  await page.getByRole("button", { name: "Sign-in" }).click();
  if (agrees) await page.getByRole("button", { name: "Continue" }).click();
}

test("the program knows the provider, and is known there", async () => {
  const said = JSON.parse(await house.oriel("provider", "test", "studio id", "--json"));
  expect(said).toMatchObject({ client_refused: null, knows_pkce: true, algorithms: ["RS256"] });
  expect(said.authorization_endpoint).toBe(`${provider.issuer}/auth`);
});

test("a person signs in there, comes back to where they wanted to go, and is who they are there", async () => {
  const { page, context } = await open("/account");
  const back = page.waitForRequest((request) => request.url().includes("/callback?"));
  await asAt(page, "ada");
  await heading(page, "My account").waitFor();
  expect(page.url()).toBe(`${house.address}/account`);
  await page.getByText("You sign in by Studio ID, where your password is changed.").waitFor();
  await accessible(page, "the account of somebody who comes from a provider");
  await picture(page, "account-provider");
  const cookies = await context.cookies(house.address);
  expect(cookies.find((one) => one.name === "__Host-oriel")).toMatchObject({
    httpOnly: true,
    secure: true,
    sameSite: "Strict",
  });
  expect(cookies.some((one) => one.name === "__Host-oriel-sign-in")).toBe(false);
  const { users } = JSON.parse(await house.oriel("user", "list", "--json"));
  const ada = users.find((user: { name: string }) => user.name === "ada");
  expect(ada).toMatchObject({ provider: "Studio ID", role: "user", groups: [{ name: "painters" }] });

  // What came back opens nothing a second time: not here after signing out, and not in another browser.
  const used = (await back).url();
  await page.getByRole("button", { name: "Account: ada" }).click();
  await page.getByRole("menuitem", { name: "Sign out" }).click();
  await heading(page, "Sign in").waitFor();
  await page.goto(used);
  await page.getByText("This sign-in took too long, or was begun in another browser").waitFor();
  await heading(page, "Sign in").waitFor();
  const other = await browser.newContext();
  const thief = await other.newPage();
  await thief.goto(used);
  await thief.getByText("This sign-in took too long, or was begun in another browser").waitFor();
  expect(thief.url()).toBe(`${house.address}/`);
  await other.close();

  // The provider knows them still: one click, and no new account.
  await page.getByRole("button", { name: "Continue with Studio ID" }).click();
  await heading(page, "My desktops").waitFor();
  const again = JSON.parse(await house.oriel("user", "list", "--json"));
  expect(again.users.length).toBe(users.length);
  await context.close();
});

test("a role that the provider's groups give is there at once", async () => {
  const { page, context } = await open("/users?tab=providers");
  await asAt(page, "root");
  await heading(page, "Users and groups").waitFor();
  await page
    .getByRole("row", { name: /Studio ID/ })
    .getByText(provider.issuer)
    .waitFor();
  expect(page.url()).toBe(`${house.address}/users?tab=providers`);
  await context.close();
});

test("whoever says no there is not signed in here, and may try again", async () => {
  const { page, context } = await open();
  await page.getByRole("link", { name: "Cancel" }).click();
  await page.getByText("You were not signed in there").waitFor();
  await accessible(page, "a sign-in that was refused at the provider");
  await picture(page, "sign-in-denied");
  // Said once.
  expect(page.url()).toBe(`${house.address}/`);
  await page.reload();
  await heading(page, "Sign in").waitFor();
  expect(await page.getByText("You were not signed in there").count()).toBe(0);
  await page.getByRole("button", { name: "Continue with Studio ID" }).click();
  await asAt(page, "eve");
  await heading(page, "My desktops").waitFor();
  await context.close();
});

test("a name that is somebody's here stays theirs", async () => {
  const { page, context } = await open();
  await asAt(page, "bob");
  await page.getByText("An account of your name is here already, and is not yours").waitFor();
  await page.getByLabel("Name").fill("bob");
  await page.getByLabel("Password").fill("ein anderes Passwort");
  await page.getByRole("button", { name: "Sign in", exact: true }).click();
  await heading(page, "My desktops").waitFor();
  await context.close();
  expect(await house.oriel("audit", "list", "--json")).toContain("name_taken_here");
});

test("a provider that asks each time asks whom it knows", async () => {
  await house.oriel("provider", "set", "studio id", "--ask-again");
  const { page, context } = await open();
  await asAt(page, "ada");
  await heading(page, "My desktops").waitFor();
  await page.getByRole("button", { name: "Account: ada" }).click();
  await page.getByRole("menuitem", { name: "Sign out" }).click();
  await page.getByRole("button", { name: "Continue with Studio ID" }).click();
  await page.getByPlaceholder("Enter any login").waitFor();
  await asAt(page, "ada", false);
  await heading(page, "My desktops").waitFor();
  await context.close();
});
