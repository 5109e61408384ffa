/** The real program and a real browser with an authenticator of its own (Chromium's virtual one): from the making to the removal. */
import { rmSync } from "node:fs";
import { type Browser, type BrowserContext, type CDPSession, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { House } from "../e2e/house";
import { ARGS, accessible, dialogue, heading, picture, signIn } from "./browser";

const PASSWORD = "ein anderes Passwort";

let house: House;
let browser: Browser;
/** Passkeys belong to names: the house by its own. */
let address: string;

beforeAll(async () => {
  house = await House.build(false);
  address = `http://localhost:${house.port}`;
  await house.person("bob", "user", PASSWORD);
  await house.person("ann", "user", PASSWORD);
  await house.person("eve", "user", PASSWORD);
  browser = await chromium.launch({
    executablePath: process.env.ORIEL_CHROMIUM ?? "/usr/bin/chromium",
    args: ARGS,
  });
});
afterAll(async () => {
  await browser?.close();
  await house?.stop();
  if (house) rmSync(house.folder, { recursive: true, force: true });
});

interface Desk {
  page: Page;
  context: BrowserContext;
  cdp: CDPSession;
  authenticator: string;
}

/** A browser whose person has a finger for it. */
async function open(at = address, path = "/"): Promise<Desk> {
  const context = await browser.newContext({ reducedMotion: "reduce" });
  context.setDefaultTimeout(15_000);
  const page = await context.newPage();
  const cdp = await context.newCDPSession(page);
  await cdp.send("WebAuthn.enable");
  const { authenticatorId } = await cdp.send("WebAuthn.addVirtualAuthenticator", {
    options: {
      protocol: "ctap2",
      transport: "internal",
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: true,
      automaticPresenceSimulation: true,
    },
  });
  await page.goto(at + path);
  return { page, context, cdp, authenticator: authenticatorId };
}

async function signOut(page: Page, name: string) {
  await page.getByRole("button", { name: `Account: ${name}` }).click();
  await page.getByRole("menuitem", { name: "Sign out" }).click();
  await heading(page, "Sign in").waitFor();
}

/** Signed in, wherever that leads: to what is under test. */
async function account(page: Page, name: string, at = address) {
  await page.getByRole("button", { name: `Account: ${name}` }).waitFor();
  await page.goto(`${at}/account`);
  await heading(page, "My account").waitFor();
}

async function add(page: Page, label: string) {
  await page.getByRole("button", { name: "Add a passkey" }).click();
  const form = dialogue(page, "Add a passkey");
  await form.getByLabel("Label").fill(label);
  await form.getByLabel("Your password").fill(PASSWORD);
  await form.getByRole("button", { name: "Go on" }).click();
}

test("a passkey is made, opens the door alone and beside the password, and is removed", async () => {
  const { page, context, cdp, authenticator } = await open();
  await signIn(page, "bob", PASSWORD);
  await account(page, "bob");
  await page.getByText("Only your password guards this account.").waitFor();
  await add(page, "Bob's laptop");
  const codes = dialogue(page, "Recovery codes");
  await codes.getByRole("listitem").nth(9).waitFor();
  await codes.getByRole("button", { name: "I have kept them" }).click();
  const list = page.getByRole("list", { name: "Passkeys" });
  await list.getByText("Bob's laptop").waitFor();
  await list.getByText("not used yet").waitFor();
  await page.getByText("A passkey is asked for after your password.").waitFor();
  await accessible(page, "the account of somebody with a passkey");
  await picture(page, "account-passkey");
  const { credentials } = await cdp.send("WebAuthn.getCredentials", { authenticatorId: authenticator });
  expect(credentials.length).toBe(1);
  expect(credentials[0]).toMatchObject({ rpId: "localhost", isResidentCredential: true });
  // Who it is, is not in what the authenticator keeps of the account.
  expect(Buffer.from(credentials[0]?.userHandle ?? "", "base64").length).toBe(32);

  // Alone.
  await signOut(page, "bob");
  await accessible(page, "the door with a passkey");
  await picture(page, "sign-in-passkey");
  await page.getByRole("button", { name: "Sign in with a passkey" }).click();
  await account(page, "bob");
  await list.getByText("Bob's laptop").waitFor();
  expect(await list.textContent()).toContain(", used ");

  // Beside the password.
  await signOut(page, "bob");
  await signIn(page, "bob", PASSWORD);
  await heading(page, "Second factor").waitFor();
  await accessible(page, "the second factor with a passkey");
  await picture(page, "second-factor-passkey");
  await page.getByRole("button", { name: "Use a passkey" }).click();
  await account(page, "bob");
  expect(await house.oriel("user", "second-factor", "bob")).toContain("Bob's laptop on localhost");

  // The same device makes no second one.
  await add(page, "again");
  await page.getByText("this device has a passkey for your account already", { exact: false }).waitFor();
  await dialogue(page, "Add a passkey").getByRole("button", { name: "Cancel" }).click();

  await page.getByRole("button", { name: "Remove Bob's laptop" }).click();
  const sure = dialogue(page, "Remove Bob's laptop?");
  await sure.getByLabel("Your password").fill(PASSWORD);
  await sure.getByRole("button", { name: "Remove" }).click();
  await page.getByText("Only your password guards this account.").waitFor();
  await signOut(page, "bob");
  await page.getByRole("button", { name: "Sign in with a passkey" }).click();
  await page.getByText("does not open an account here", { exact: false }).waitFor();
  await context.close();
});

test("an address that is a number has no passkeys, and says why", async () => {
  const { page, context } = await open(house.address);
  await heading(page, "Sign in").waitFor();
  expect(await page.getByRole("button", { name: "Sign in with a passkey" }).count()).toBe(0);
  await signIn(page, "ann", PASSWORD);
  await account(page, "ann", house.address);
  await page
    .getByText("Passkeys belong to a host name, and this address is a number", { exact: false })
    .waitFor();
  expect(await page.getByRole("button", { name: "Add a passkey" }).count()).toBe(0);
  await context.close();
});

test("whom a group asks makes a passkey at the door", async () => {
  await house.oriel("group", "create", "staff", "--second-factor", "every-time");
  await house.oriel("group", "add", "staff", "eve");
  const { page, context } = await open();
  await signIn(page, "eve", PASSWORD);
  await heading(page, "Set up a second factor").waitFor();
  await page.getByRole("button", { name: "Use a passkey instead" }).click();
  await heading(page, "Keep these codes").waitFor();
  await page.getByRole("button", { name: "I have kept them" }).click();
  await heading(page, "My desktops").waitFor();
  await signOut(page, "eve");
  await page.getByRole("button", { name: "Sign in with a passkey" }).click();
  await heading(page, "My desktops").waitFor();
  await context.close();
});
