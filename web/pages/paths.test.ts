/** The main paths, as a person walks them: by role and label. */
import { expect, test } from "vitest";
import { accessible, browsing, button, card, dialogue, heading, picture, signIn } from "./browser";

const visit = browsing();

test("signing in: refusals say what to do, a first password is changed, signing out forgets", async () => {
  const { page, context } = await visit(null, "/host");
  await signIn(page, "admin", "wrong");
  await page.getByText("The name or the password is wrong.").waitFor();
  await signIn(page, "too-many");
  await page.getByText("Wait a minute, then try again.").waitFor();

  await signIn(page, "newcomer");
  await heading(page, "Choose your password").waitFor();
  await page.getByLabel("One-time password").fill("password");
  await page.getByLabel(/^New password(?! again)/).fill("short");
  await button(page, "Set password and go on").hover();
  await page.getByText("The new password needs at least 10 characters").waitFor();
  await page.getByLabel(/^New password(?! again)/).fill("a lantern in the window");
  await page.getByLabel("New password again").fill("a lantern in the window");
  await button(page, "Set password and go on").click();
  // The address that was asked for first; this person may not see it.
  await page.getByText("This page is not for your role").waitFor();
  await page.getByRole("link", { name: "My desktops", exact: true }).click();
  await card(page, "studio-1").waitFor();

  await button(page, "Account: newcomer").click();
  await page.getByRole("menuitem", { name: "Sign out" }).click();
  await heading(page, "Sign in").waitFor();
  await context.close();
});

test("a desktop: opens in a tab of its own, starts step by step, is deleted only after asking", async () => {
  const { page, context, url } = await visit("admin");
  const open = page.getByRole("link", { name: /^Open studio-1/ });
  await open.waitFor();
  expect(await open.getAttribute("href")).toMatch(/^\/viewer\/\?desktop=[^&]+&kind=rdp$/);
  expect(await open.getAttribute("target")).toBe("oriel-studio-1-rdp");
  await page.getByRole("link", { name: /^Start and open studio-3/ }).waitFor();

  // What failed says why, and its buttons say why not.
  const failed = card(page, "render-1");
  await failed.getByText(/no space left on/).waitFor();
  await failed.getByText("Shell").hover();
  await page.getByRole("tooltip").getByText("It failed: see the reason on the card").waitFor();

  await button(page, "Actions for studio-3").click();
  await page.getByRole("menuitem", { name: /^Start/ }).click();
  await page.getByText("studio-3 is starting").first().waitFor();
  await card(page, "studio-3").getByRole("list", { name: "Start progress" }).waitFor();
  await card(page, "studio-3").getByText("Ready").waitFor({ timeout: 20_000 });

  await button(page, "Actions for studio-3").click();
  await page.getByRole("menuitem", { name: "Delete…" }).click();
  const ask = dialogue(page, /Delete studio-3/);
  await ask.getByText("Everything on its disk is lost").waitFor();
  await accessible(page, "the question before deleting");
  await ask.getByRole("button", { name: "Delete desktop" }).click();
  await card(page, "studio-3").waitFor({ state: "detached", timeout: 20_000 });

  await button(page, "Everyone's").click();
  await heading(page, "Everyone's desktops").waitFor();
  expect(page.url()).toBe(`${url}/?all=true`);
  await context.close();
});

test("from an image to a desktop for someone", async () => {
  const { page, context } = await visit("admin");
  const nav = page.getByRole("navigation", { name: "Pages" });
  await nav.getByRole("link", { name: "Images" }).click();
  await heading(page, "Images").waitFor();
  await button(page, "Build from a recipe").click();
  const build = dialogue(page, "Build an image");
  await build.getByLabel("Debian minimal").check();
  await build.getByLabel("Name").fill("Not A Name");
  await build.getByText(/lowercase letters, digits/).waitFor();
  await build.getByLabel("Name").fill("refused");
  await build.getByRole("button", { name: "Build" }).click();
  await build.getByText("The image was refused by the mock.").waitFor();
  await build.getByLabel("Name").fill("tiny");
  await accessible(page, "building an image");
  await build.getByRole("button", { name: "Build" }).click();
  await page.getByRole("list", { name: "Images in the making" }).getByText("Build image tiny").waitFor();

  await button(page, "Import").click();
  const bring = dialogue(page, "Import an image");
  await bring.getByLabel("From").fill("relative.qcow2");
  await bring.getByText("Use an absolute path on the server, or an https:// address").waitFor();
  await bring.getByRole("button", { name: "Cancel" }).click();

  await nav.getByRole("link", { name: "Pools" }).click();
  await button(page, "New pool").click();
  const form = dialogue(page, "New pool");
  await form.getByLabel("Name").fill("office");
  await form.getByLabel("CPUs").fill("4");
  await accessible(page, "making a pool");
  await form.getByRole("button", { name: "Make pool" }).click();
  await page.getByText("The pool office was made").first().waitFor();

  await button(page, "People with access to office: nobody yet").click();
  const people = dialogue(page, "People with access to office");
  await people.getByLabel("Give access to", { exact: true }).selectOption("mira");
  await people.getByRole("button", { name: "Give access" }).click();
  await people.getByRole("button", { name: "Take access from mira" }).waitFor();
  await people.getByLabel("Give access to the group").selectOption("artists");
  await people.getByRole("button", { name: "Give the group access" }).click();
  await people.getByRole("button", { name: "Take access from the group artists" }).waitFor();
  await accessible(page, "people and groups of a pool");
  await people.getByRole("button", { name: "Done" }).click();

  await button(page, "Add a desktop to office").click();
  const add = dialogue(page, "Add a desktop from office");
  await add.getByLabel("For").selectOption("mira");
  await add.getByRole("button", { name: "Add desktop" }).click();
  await page.getByText("office-1 is on its way").first().waitFor();
  await page.getByRole("link", { name: "Watch it start" }).click();
  await card(page, "office-1").getByText("for mira").waitFor();
  await context.close();
});

test("roles: a pool admin gets pools, and a token may less than its person", async () => {
  const { page, context, url } = await visit("admin", "/users");
  await button(page, "Actions for mira").click();
  await page.getByRole("menuitem", { name: "Change role…" }).click();
  const form = dialogue(page, "The role of mira");
  await form.getByLabel("Role").selectOption("pool_admin");
  await button(page, "Save").hover();
  await page.getByText("Tick the pools that they administer").waitFor();
  await form.getByLabel("studio", { exact: true }).check();
  await accessible(page, "changing a role");
  await picture(page, "role");
  await form.getByRole("button", { name: "Save" }).click();
  await page.getByRole("row", { name: /mira/ }).getByText("Pool admin").waitFor();

  await page.goto(`${url}/account`);
  await button(page, "New token").click();
  const token = dialogue(page, "New API token");
  await token.getByLabel("Label").fill("monitor");
  await token.getByLabel("May do").selectOption("some");
  await token.getByLabel("See connections").check();
  await accessible(page, "a token that may less");
  await token.getByRole("button", { name: "Make token" }).click();
  await page.getByRole("dialog", { name: "Token monitor" }).getByRole("button", { name: "Done" }).click();
  await page
    .getByRole("row", { name: /monitor/ })
    .getByText("sessions read")
    .waitFor();
  await context.close();
});

test("the audit: searched, read on, and followed", async () => {
  const { page, context } = await visit("auditor", "/audit");
  await page
    .getByRole("row", { name: /Delete user.*mira/ })
    .first()
    .waitFor();
  expect(await page.getByRole("row").count()).toBe(101);
  await button(page, "Older").click();
  await expect.poll(() => page.getByRole("row").count()).toBe(131);
  await page.getByLabel("Who").fill("mira");
  await page.getByLabel("Only what was refused").check();
  await page
    .getByRole("row", { name: /admin_only/ })
    .first()
    .waitFor();
  await expect.poll(() => page.getByRole("row", { name: /Change pool/ }).count()).toBe(0);
  await button(page, "Check").click();
  await page.getByText("All 130 rows follow one another").waitFor();
  await accessible(page, "the audit");
  await context.close();
});

test("groups: made with rules, filled, emptied, deleted", async () => {
  const { page, context, url } = await visit("admin", "/users");
  await button(page, "Groups").click();
  expect(page.url()).toBe(`${url}/users?tab=groups`);
  await page
    .getByRole("row", { name: /contractors/ })
    .getByText("no copy, no download, watermark")
    .waitFor();
  await button(page, "New group").click();
  const form = dialogue(page, "New group");
  await form.getByLabel("Name").fill("night shift");
  await form.getByRole("button", { name: "Rules for its members: as pools say" }).click();
  await form.getByLabel("Paste into the machine").selectOption("false");
  await form.getByLabel("Lock after, in minutes").fill("99999");
  await form.getByText("0 to 10080, or empty for what the pool says").waitFor();
  await form.getByLabel("Lock after, in minutes").fill("0");
  await accessible(page, "making a group");
  await picture(page, "group-new");
  await form.getByRole("button", { name: "Make group" }).click();
  const row = page.getByRole("row", { name: /night shift/ });
  await row.getByText("no paste, never locks").waitFor();

  await row.getByRole("button", { name: "Members of night shift: 0" }).click();
  const members = dialogue(page, "Members of night shift");
  await members.getByLabel("Put in").selectOption("mira");
  await members.getByRole("button", { name: "Put in" }).click();
  await members.getByRole("button", { name: "Take mira out" }).waitFor();
  await accessible(page, "members of a group");
  await members.getByRole("button", { name: "Done" }).click();
  await row.getByText("1 person").waitFor();
  await button(page, "Users").click();
  await page.getByRole("row", { name: /mira/ }).getByText("artists, night shift").waitFor();
  await button(page, "Groups").click();
  await button(page, "Actions for night shift").click();
  await page.getByRole("menuitem", { name: "Delete…" }).click();
  await dialogue(page, /Delete the group night shift/)
    .getByRole("button", { name: "Delete group" })
    .click();
  await row.waitFor({ state: "detached" });
  await context.close();
});

test("directories: added, tested, edited, switched off, deleted", async () => {
  const { page, context, url } = await visit("admin", "/users");
  await page.getByRole("row", { name: /jonas/ }).getByText("from lab").waitFor();
  await button(page, "Directories").click();
  expect(page.url()).toBe(`${url}/users?tab=directories`);
  await page.getByRole("row", { name: /lab/ }).getByText("who is in 1 mapped group").waitFor();
  await button(page, "New directory").click();
  const form = dialogue(page, "New directory");
  await form.getByLabel("Name").fill("night");
  await form.getByLabel("Address").fill("ldap.night.example");
  await form.getByLabel("Certificate").selectOption("ca");
  await form.getByLabel("CA", { exact: true }).fill("-----BEGIN CERTIFICATE-----");
  await form.getByLabel("Service account").fill("cn=oriel,dc=night");
  await form.getByLabel("Its password").fill("secret");
  await form.getByLabel("People are below").fill("dc=night");
  await form.getByRole("button", { name: "Add to roles" }).click();
  await form.getByLabel("Roles 1: here").selectOption("helpdesk");
  await form.getByLabel("Roles 1: in the directory").fill("cn=helpers,dc=night");
  await accessible(page, "adding a directory");
  await picture(page, "directory-new");
  await form.getByRole("button", { name: "Add directory" }).click();
  // What was added is tested at once.
  const test = dialogue(page, "Test night");
  await test.getByLabel("Name").fill("nobody");
  await test.getByRole("button", { name: "Test" }).click();
  await test.getByText("Nobody of that name is there").waitFor();
  await test.getByLabel("Name").fill("down");
  await test.getByRole("button", { name: "Test" }).click();
  await test.getByText("did not answer in 15 seconds", { exact: false }).waitFor();
  await test.getByLabel("Name").fill("jonas");
  await test.getByLabel("Password").fill("password");
  await test.getByRole("button", { name: "Test" }).click();
  await test.getByText("They would be let in").waitFor();
  await test.getByText("cn=all-staff,ou=groups,dc=lab,dc=example").waitFor();
  await accessible(page, "testing a directory");
  await picture(page, "directory-test");
  await test.getByRole("button", { name: "Cancel" }).click();

  const row = page.getByRole("row", { name: /night/ });
  const act = async (what: string) => {
    await button(page, "Actions for night").click();
    await page.getByRole("menuitem", { name: what }).click();
  };
  await act("Edit…");
  const edit = dialogue(page, "Edit night");
  await edit.getByText("Kept; type another to replace it").waitFor();
  // Whoever changes where it goes types the password again.
  await edit.getByLabel("Address").fill("elsewhere.example");
  await edit.getByRole("button", { name: "Save" }).click({ force: true });
  await edit.getByLabel("Its password").fill("secret");
  await edit.getByRole("button", { name: "Save" }).click();
  await row.getByText("ldaps://elsewhere.example").waitFor();
  await act("Switch off");
  await row.getByText("Switched off").waitFor();
  await act("Delete…");
  await dialogue(page, /Delete the directory night/)
    .getByRole("button", { name: "Delete directory" })
    .click();
  await row.waitFor({ state: "detached" });
  await context.close();
});

test("providers: added, tested, edited, switched off, deleted; who comes from one has no password here", async () => {
  const { page, context, url } = await visit("admin", "/users");
  await page.getByRole("row", { name: /mira/ }).getByText("from Studio ID").waitFor();
  await button(page, "Providers").click();
  expect(page.url()).toBe(`${url}/users?tab=providers`);
  await page
    .getByRole("row", { name: /Studio ID/ })
    .getByText("https://id.studio.example")
    .waitFor();
  await button(page, "New provider").click();
  const form = dialogue(page, "New provider");
  await form.getByLabel(/^Name/).fill("Night ID");
  await form.getByLabel("Issuer").fill("https://id.night.example");
  await form.getByLabel("Client id").fill("nobody");
  await form.getByLabel("Client secret").fill("secret");
  await form.getByRole("button", { name: "Add to roles" }).click();
  await form.getByLabel("Roles 1: here").selectOption("helpdesk");
  await form.getByLabel("Roles 1: in the provider").fill("helpers");
  await form.getByRole("button", { name: "More" }).click();
  await form.getByLabel("Claim with the groups").fill("realm_access.roles");
  await accessible(page, "adding a provider");
  await picture(page, "provider-new");
  const sent = page.waitForRequest((request) => request.method() === "POST");
  await form.getByRole("button", { name: "Add provider" }).click();
  expect((await sent).postDataJSON()).toMatchObject({
    name: "Night ID",
    secret: "secret",
    settings: {
      issuer: "https://id.night.example",
      scopes: ["profile"],
      groups_claim: "realm_access.roles",
      roles: [{ value: "helpers", role: "helpdesk" }],
    },
  });
  // What was added is tested at once, beside what must be entered there.
  const test = dialogue(page, "Test Night ID");
  expect(await test.getByLabel("Callback address").inputValue()).toBe(
    `${url}/api/v1/sign-in/oidc/8/callback`,
  );
  await test.getByRole("button", { name: "Test" }).click();
  await test.getByText("It does not know us").waitFor();
  await accessible(page, "testing a provider");
  await picture(page, "provider-test");
  await test.getByRole("button", { name: "Cancel" }).click();

  const row = page.getByRole("row", { name: /Night ID/ });
  const act = async (what: string) => {
    await button(page, "Actions for Night ID").click();
    await page.getByRole("menuitem", { name: what }).click();
  };
  await act("Edit…");
  const edit = dialogue(page, "Edit Night ID");
  await edit.getByText("Kept; type another to replace it").waitFor();
  await edit.getByLabel("Client id").fill("oriel");
  await edit.getByLabel("Client secret").fill("secret");
  await edit.getByRole("button", { name: "Save" }).click();
  await edit.waitFor({ state: "detached" });
  await act("Test…");
  await test.getByRole("button", { name: "Test" }).click();
  await test.getByText("It answers, and knows us").waitFor();
  await test.getByRole("button", { name: "Cancel" }).click();
  await act("Switch off");
  await row.getByText("Switched off").waitFor();
  await act("Delete…");
  await dialogue(page, /Delete the provider Night ID/)
    .getByRole("button", { name: "Delete provider" })
    .click();
  await row.waitFor({ state: "detached" });
  await context.close();

  const door = await visit(null, "/pools?all=true");
  await button(door.page, "Continue with Studio ID").click();
  await door.page.getByText("You were not signed in there").waitFor();
  await accessible(door.page, "a sign-in that was refused");
  await picture(door.page, "sign-in-refused");
  expect(door.page.url()).toBe(`${url}/pools?all=true`);
  await signIn(door.page, "mira");
  await heading(door.page, /./).waitFor();
  await door.page.goto(`${url}/account`);
  await door.page.getByText("You sign in by Studio ID, where your password is changed.").waitFor();
  await door.page.getByText("Only Studio ID guards this account.").waitFor();
  await door.context.close();

  const locked = await visit("locked-elsewhere");
  await heading(locked.page, "Locked").waitFor();
  expect(await locked.page.getByLabel("Password").count()).toBe(0);
  await accessible(locked.page, "locked, by a provider");
  const asked = locked.page.waitForRequest((request) => request.url().includes("/sign-in/oidc/"));
  await button(locked.page, "Continue with Studio ID").click();
  expect((await asked).postDataJSON()).toMatchObject({ again: true });
  await locked.context.close();
});

test("clouds: added, examined, given an image, stood on, removed when nothing stands there", async () => {
  const { page, context, url } = await visit("admin", "/clouds");
  await page.getByRole("row", { name: /oak/ }).getByText("Answers").waitFor();
  await page
    .getByRole("row", { name: /elm/ })
    .getByText(/Cannot reach Keystone/)
    .waitFor();
  await button(page, "Add a cloud").click();
  const form = dialogue(page, "Add a cloud");
  await form.getByLabel(/^Name/).fill("ash");
  await form.getByLabel("How to sign in").selectOption("fields");
  await form.getByLabel("Address of Keystone").fill("https://ash.example:5000");
  await form.getByLabel("Application credential's id").fill("i");
  await form.getByLabel("Application credential's secret").fill("s3cret");
  await accessible(page, "adding a cloud");
  await picture(page, "cloud-new");
  const sent = page.waitForRequest((request) => request.method() === "POST");
  await form.getByRole("button", { name: "Add cloud" }).click();
  const body = (await sent).postDataJSON();
  expect(body.name).toBe("ash");
  expect(JSON.parse(body.clouds_yaml).clouds.cloud.auth.auth_url).toBe("https://ash.example:5000");
  // What was added is examined at once.
  const found = dialogue(page, "What the doctor finds on ash");
  await found
    .getByRole("list", { name: "Worth fixing" })
    .getByText(/not restricted/)
    .waitFor();
  await accessible(page, "examining a cloud");
  await picture(page, "cloud-findings");
  await found.getByRole("button", { name: "Close", exact: true }).last().click();

  const row = page.getByRole("row", { name: /ash/ });
  const act = async (what: string) => {
    await button(page, "Actions for ash").click();
    await page.getByRole("menuitem", { name: what }).click();
  };
  await act("Images…");
  const images = dialogue(page, "Images on ash");
  await images.getByText("It has none of our images yet.").waitFor();
  await images.getByRole("button", { name: "Upload" }).click();
  await images.getByRole("list", { name: "On the way to ash" }).getByRole("progressbar").waitFor();
  await images.getByLabel("Its id there").fill("glance-1");
  await images.getByRole("button", { name: "Say that it is there" }).click();
  await images.getByText("glance-1").waitFor();
  await accessible(page, "images of a cloud");
  await images.getByRole("button", { name: "Done" }).click();

  await act("Reach…");
  const reach = dialogue(page, "Reach desktops on ash");
  await reach.getByLabel("Only from these networks").fill("192.0.2.7");
  await reach.getByLabel("Way there").selectOption("new");
  await reach.getByLabel("Jump host", { exact: false }).first().fill("gate.example");
  await reach.getByLabel("Account there").fill("oriel");
  await reach.getByLabel("Private key").fill("-----BEGIN OPENSSH PRIVATE KEY-----\n");
  await accessible(page, "how desktops of a cloud are reached");
  await picture(page, "cloud-reach");
  await reach.getByRole("button", { name: "Save" }).click();
  await row.getByText("desktops through oriel@gate.example").waitFor();

  await page.goto(`${url}/pools`);
  await button(page, "New pool").click();
  const pool = dialogue(page, "New pool");
  await pool.getByLabel("Name", { exact: false }).first().fill("sky");
  await pool.getByLabel("Stands on").selectOption({ label: "Cloud ash" });
  expect(await pool.getByLabel("CPUs").count()).toBe(0);
  await pool
    .getByRole("row", { name: /v1.quarter/ })
    .getByText("for 3")
    .waitFor();
  await pool.getByLabel("v1.quarter").check();
  await pool.getByLabel("Network on the cloud").selectOption("desktops");
  await accessible(page, "a pool on a cloud");
  await picture(page, "pool-cloud");
  const made = page.waitForRequest((request) => request.method() === "POST");
  await pool.getByRole("button", { name: "Make pool" }).click();
  const asked = (await made).postDataJSON();
  expect(asked).toMatchObject({ name: "sky", cloud: { flavor: "v1.quarter", network: "desktops" } });
  expect(asked).not.toHaveProperty("vcpus");
  await page.getByRole("row", { name: /sky/ }).getByText("flavor v1.quarter").waitFor();

  await button(page, "Add a desktop to sky").click();
  await dialogue(page, "Add a desktop from sky").getByRole("button", { name: "Add desktop" }).click();
  await page.goto(`${url}/?all=true`);
  const onCloud = card(page, "sky-1");
  await onCloud.getByText("Ready", { exact: true }).first().waitFor();
  await picture(page, "cloud-desktop");
  await button(page, "Actions for sky-1").click();
  await page.getByRole("menuitem", { name: "Flavor, host and snapshots…" }).click();
  const machine = dialogue(page, "sky-1 on its cloud");
  await machine.getByText("compute-1").waitFor();
  await machine.getByRole("button", { name: "Migrate" }).click();
  await machine.getByText("compute-2").waitFor();
  await machine.getByLabel("New snapshot").fill("monday");
  await machine.getByRole("button", { name: "Keep snapshot" }).click();
  await machine.getByRole("list", { name: "Snapshots" }).getByText("monday").waitFor();
  await accessible(page, "a desktop's machine on its cloud");
  await picture(page, "cloud-machine");
  await machine.getByRole("button", { name: "Resize to v1.quarter…" }).click();
  await dialogue(page, "Resize sky-1 to v1.quarter?").getByRole("button", { name: "Resize desktop" }).click();
  await machine.getByText("It was resized or moved, and can still go back").waitFor();
  await machine.getByRole("button", { name: "Confirm" }).click();
  await machine.getByText("It was resized or moved, and can still go back").waitFor({ state: "detached" });
  await machine.getByRole("button", { name: "Close", exact: true }).last().click();

  await page.goto(`${url}/clouds`);
  await row.getByText("sky").waitFor();
  await button(page, "Actions for ash").click();
  await page.getByText("1 pool stands on it").waitFor();
  await page.keyboard.press("Escape");
  await button(page, "Actions for elm").click();
  await page.getByRole("menuitem", { name: "Remove…" }).click();
  await dialogue(page, /Remove the cloud elm/)
    .getByRole("button", { name: "Remove cloud" })
    .click();
  await page.getByRole("row", { name: /elm/ }).waitFor({ state: "detached" });
  await context.close();
});

test("users: the one-time password is shown once, refusals stay in the form", async () => {
  const { page, context } = await visit("admin", "/users");
  await button(page, "New user").click();
  const form = dialogue(page, "New user");
  await form.getByLabel("Name").fill("taken");
  await page.keyboard.press("Enter");
  await form.getByText("There is a user named taken already.").waitFor();
  await form.getByLabel("Name").fill("lena");
  await page.keyboard.press("Enter");
  const secret = dialogue(page, "A password for lena");
  expect(await secret.getByRole("textbox", { name: "One-time password" }).inputValue()).toBe(
    "brick-lantern-quiet-harbour",
  );
  await accessible(page, "the one-time password");
  await secret.getByRole("button", { name: "Done" }).click();
  await page.getByRole("gridcell", { name: "lena", exact: true }).waitFor();

  await button(page, "Actions for mira").click();
  await page.getByRole("menuitem", { name: "Delete…" }).click();
  await dialogue(page, /Delete mira/)
    .getByRole("button", { name: "Delete user" })
    .click();
  await page.getByText("Mira still has desktops.").waitFor();
  await context.close();
});

test("operations, sessions, tokens and the doctor", async () => {
  const { page, context, url } = await visit("admin", "/operations");
  const running = page.getByRole("article", { name: "Build image debian-desktop" }).first();
  await running.getByRole("progressbar").waitFor();
  await running.getByRole("button", { name: /^Show the log/ }).click();
  await running.getByRole("region", { name: /^Log of/ }).waitFor();
  await running.getByRole("button", { name: /^Cancel/ }).click();
  await running.getByRole("button", { name: /^Resume/ }).waitFor();

  await page.goto(`${url}/sessions`);
  await button(page, "End the connection of mira to studio-4").click();
  await dialogue(page, /End the connection of mira/)
    .getByRole("button", { name: "End connection" })
    .click();
  await page.getByRole("gridcell", { name: "studio-4", exact: true }).waitFor({ state: "detached" });

  await page.goto(`${url}/account`);
  await button(page, "New token").click();
  const form = dialogue(page, "New API token");
  await form.getByLabel("Label").fill("script");
  await form.getByRole("button", { name: "Make token" }).click();
  const secret = dialogue(page, "Token script");
  expect(await secret.getByRole("textbox", { name: "API token" }).inputValue()).toMatch(/^oriel_/);
  await secret.getByRole("button", { name: "Done" }).click();
  await button(page, "Delete the token script").click();
  await button(page, "Delete token").click();
  await page.getByRole("gridcell", { name: "script", exact: true }).waitFor({ state: "detached" });

  await page.goto(`${url}/host`);
  await page
    .getByRole("list", { name: "Worth fixing" })
    .getByText(/KVM opens/)
    .waitFor();
  await button(page, "Evidence for kvm, /dev/kvm").click();
  await page.getByText("/sys/module/kvm_amd/parameters/nested").waitFor();
  await button(page, /^In order/).click();
  await page.getByText("QEMU is new enough.").waitFor();
  await accessible(page, "the doctor, unfolded");
  await context.close();
});

test("the keyboard reaches everything, and a page announces itself", async () => {
  const { page, context } = await visit("admin");
  await page.getByRole("link", { name: /^Open studio-1/ }).waitFor();
  await page.evaluate(() => (document.activeElement as HTMLElement | null)?.blur());
  await page.keyboard.press("Tab");
  expect(await page.evaluate(() => document.activeElement?.textContent)).toBe("Skip to content");
  await page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name: "Host" }).focus();
  await page.keyboard.press("Enter");
  await heading(page, "Host").waitFor();
  expect(await page.evaluate(() => document.getElementById("route-announcer")?.textContent)).toBe("Host");
  await expect.poll(() => page.evaluate(() => document.activeElement?.textContent)).toBe("Host");

  await button(page, "Theme: As the system").click();
  await page.getByRole("menuitem", { name: "Dark" }).click();
  expect(await page.evaluate(() => document.documentElement.className)).toContain("pf-v6-theme-dark");
  await page.reload();
  await button(page, "Theme: Dark").waitFor();
  await context.close();
});

test("on a phone the navigation opens over the page and goes away again", async () => {
  const { page, context } = await visit("admin", "/", { size: "phone" });
  await page.getByRole("link", { name: /^Open studio-1/ }).waitFor();
  await button(page, "Show navigation").click();
  await page.getByRole("link", { name: "Operations" }).click();
  await heading(page, "Operations").waitFor();
  await button(page, "Show navigation").waitFor();
  await context.close();
});

test("when the server goes away, what was there stays and says that it is old", async () => {
  const { page, context } = await visit("admin", "/sessions");
  await page.getByRole("gridcell", { name: "studio-4", exact: true }).waitFor();
  await context.setOffline(true);
  await page.getByText("This is not up to date", { exact: false }).waitFor({ timeout: 20_000 });
  await page.getByRole("gridcell", { name: "studio-4", exact: true }).waitFor();
  await context.setOffline(false);
  await page
    .getByText("This is not up to date", { exact: false })
    .waitFor({ state: "detached", timeout: 20_000 });
  await context.close();
});

test("a GPU is switched only after its plan was shown, and never with what was typed for another mode", async () => {
  const { page, context } = await visit("admin", "/gpus");
  const half = page.getByRole("article", { name: "Tesla M60, 0000:07:00.0" });
  await half.getByRole("list", { name: "Slots of 0000:07:00.0" }).getByText("Somebody else").waitFor();
  await half.scrollIntoViewIfNeeded();
  await picture(page, "gpu-of-others");
  const sent: unknown[] = [];
  page.on("request", (request) => {
    if (/\/gpus\/.*\/(plan|mode)$/.test(request.url())) sent.push(request.postDataJSON());
  });

  await button(page, "Switch the mode of 0000:07:00.0").click();
  const form = dialogue(page, "Switch Tesla M60");
  await form.getByLabel("Profile").selectOption("M60-2Q");
  await form.getByLabel("Slices to make at once").fill("3");
  await form.getByLabel("Mixed sizes").check();
  await form.getByText("leave `mixed` out").waitFor();
  await form.getByLabel("Mode", { exact: true }).selectOption("whole");
  await form.getByText("Slices or functions of it exist that machines may hold").waitFor();
  await form.getByRole("region", { name: "Plan" }).getByText("driver_override").first().waitFor();
  await accessible(page, "switching a GPU");
  await picture(page, "switch-mode");
  expect(sent.at(-1)).toMatchObject({ mode: "whole", profile: null, count: null, mixed: false });
  await form.getByText("Switch mode", { exact: true }).hover();
  await page.getByRole("tooltip").getByText("Say first that nobody needs what exists of it").waitFor();
  await form.getByLabel("Drained").check();
  await button(page, "Switch mode").click();
  await page.getByText("0000:07:00.0 is being switched").first().waitFor();
  expect(sent.at(-1)).toMatchObject({ mode: "whole", drained: true, force: false });

  await button(page, "Switch the mode of 0000:41:00.0").click();
  await dialogue(page, "Switch GeForce GTX 1080").getByLabel("Force").waitFor();
  await context.close();
});

test("a host is drained after its consequences were shown, and resumed", async () => {
  const { page, context } = await visit("admin", "/host");
  const hosts = page.getByRole("grid", { name: "Hosts" });
  await hosts.getByText("Open").first().waitFor();
  await button(page, "Drain studio").click();
  const form = dialogue(page, "Drain studio");
  const does = form.getByRole("region", { name: "What this does" });
  await does.getByText("run until people leave or shut them down").waitFor();
  await does.getByText("None is moved").waitFor();
  await form.getByLabel("Reason").fill("new memory");
  await form.getByLabel("Minutes that people may stay").fill("120");
  await form.getByLabel("Shut down what still runs then").check();
  await does.getByText("shut down after 120 minutes").waitFor();
  await accessible(page, "draining a host");
  await picture(page, "drain-host");
  const sent: unknown[] = [];
  page.on("request", (request) => {
    if (request.url().endsWith("/maintenance") && request.method() === "PUT")
      sent.push(request.postDataJSON());
  });
  await form.getByRole("button", { name: "Drain", exact: true }).click();
  await hosts.getByText("Draining:").waitFor();
  expect(sent).toEqual([{ reason: "new memory", deadline_seconds: 7200, force: true }]);
  await page
    .getByRole("grid", { name: "What still runs on studio" })
    .getByText("shut down at the deadline")
    .first()
    .waitFor();
  await accessible(page, "a drained host");
  await button(page, "Resume studio").click();
  await hosts.getByText("Draining:").waitFor({ state: "detached" });
  await context.close();
});

test("a pool's machines: what is wished is sent as a whole, and shown again", async () => {
  const { page, context } = await visit("admin", "/pools");
  await button(page, "New pool").click();
  const form = dialogue(page, "New pool");
  await form.getByLabel("Name").fill("eleven");
  await form.getByLabel("GPU", { exact: true }).selectOption("whole");
  await form.getByRole("button", { name: "Machine" }).click();
  await form.getByLabel("For Windows 11").check();
  await form.getByLabel("Hide the hypervisor").check();
  await form.getByLabel("Console").selectOption("without");
  await accessible(page, "a pool's machines");
  await picture(page, "pool-machine");
  await form.getByRole("button", { name: "Make pool" }).click();
  await page.getByText("The pool eleven was made").first().waitFor();
  await button(page, "Actions for eleven").click();
  await page.getByRole("menuitem", { name: "Edit…" }).click();
  const again = dialogue(page, "Edit eleven");
  expect(await again.getByLabel("Firmware").inputValue()).toBe("secure_uefi");
  expect(await again.getByLabel("TPM", { exact: true }).isChecked()).toBe(true);
  // Without a GPU nothing is wished of it.
  await again.getByLabel("GPU", { exact: true }).selectOption("none");
  await again.getByLabel("Console").waitFor({ state: "detached" });
  const sent = page.waitForRequest((request) => request.method() === "PATCH");
  await again.getByRole("button", { name: "Save" }).click();
  expect((await sent).postDataJSON().hardware).toMatchObject({ tpm: true, console: "beside" });
  await context.close();
});

test("a pool's GPUs: which cards, in which order, is sent and shown again", async () => {
  const { page, context } = await visit("admin", "/pools");
  await button(page, "New pool").click();
  const form = dialogue(page, "New pool");
  await form.getByLabel("Name").fill("render-two");
  await form.getByLabel("GPU", { exact: true }).selectOption("whole");
  await form.getByRole("button", { name: "Which cards" }).click();
  await form.getByLabel("GPUs of one desktop").fill("17");
  await form.getByText("A desktop holds 1 to 16 GPUs").waitFor();
  await form.getByLabel("GPUs of one desktop").fill("2");
  await form.getByLabel("Placement").selectOption("cards");
  await form.getByRole("button", { name: "Make pool" }).hover();
  await page.getByText("Tick a card that desktops may use").first().waitFor();
  const cards = form.getByRole("group", { name: "Cards" }).getByRole("checkbox");
  await cards.nth(1).check();
  await cards.nth(0).check();
  await form.getByText("Tried 2 of 2").waitFor();
  await accessible(page, "a pool's GPUs");
  await picture(page, "pool-gpus");
  const sent = page.waitForRequest((request) => request.method() === "POST");
  await form.getByRole("button", { name: "Make pool" }).click();
  const { gpu } = (await sent).postDataJSON();
  expect(gpu).toMatchObject({ mode: "whole", count: 2 });
  expect(gpu.cards).toHaveLength(2);
  expect(gpu.placement).toBeUndefined();
  await page.getByText("The pool render-two was made").first().waitFor();
  await button(page, "Actions for render-two").click();
  await page.getByRole("menuitem", { name: "Edit…" }).click();
  const again = dialogue(page, "Edit render-two");
  expect(await again.getByLabel("Placement").inputValue()).toBe("cards");
  // Another placement lets the cards go.
  await again.getByLabel("Placement").selectOption("performance");
  const changed = page.waitForRequest((request) => request.method() === "PATCH");
  await again.getByRole("button", { name: "Save" }).click();
  expect((await changed).postDataJSON().gpu).toEqual({ mode: "whole", count: 2, placement: "performance" });
  await context.close();
});

test("a pool's rules for connections are said, sent and shown again", async () => {
  const { page, context } = await visit("admin", "/pools");
  await button(page, "New pool").click();
  const form = dialogue(page, "New pool");
  await form.getByLabel("Name").fill("careful");
  await form.getByRole("button", { name: "Rules for connections: as usual" }).click();
  await form.getByLabel("Clipboard", { exact: true }).selectOption("in");
  await form.getByLabel("Sharing", { exact: true }).selectOption("view");
  await form.getByLabel("Lock after, in minutes").fill("0");
  await form.getByText("1 to 10080 minutes, or empty for never").waitFor();
  await form.getByLabel("Lock after, in minutes").fill("10");
  await form.getByText("Watermark", { exact: true }).click();
  await form.getByText("Record keys", { exact: true }).click();
  await accessible(page, "a pool's rules");
  await picture(page, "pool-rules");
  const sent = page.waitForRequest((request) => request.method() === "POST");
  await form.getByRole("button", { name: "Make pool" }).click();
  expect((await sent).postDataJSON().policy).toMatchObject({
    clipboard: { to_machine: true, to_person: false, kib_max: 1024 },
    sharing: "view",
    watermark: true,
    recording_keys: true,
    recording_clipboard: false,
    idle_lock_minutes: 10,
    session_minutes_max: null,
  });
  await page.getByText("The pool careful was made").first().waitFor();
  await page
    .getByText("paste only, sharing to watch, watermark, keys recorded, locks after 10 min")
    .waitFor();
  await picture(page, "pools-with-rules");
  await button(page, "Actions for careful").click();
  await page.getByRole("menuitem", { name: "Edit…" }).click();
  const again = dialogue(page, "Edit careful");
  await again.getByRole("button", { name: /^Rules for connections: paste only/ }).waitFor();
  await context.close();
});

test("a pool for whom and with what spares is said, sent and shown again; people get a desktop of it", async () => {
  const { page, context } = await visit("admin", "/pools");
  await button(page, "New pool").click();
  const form = dialogue(page, "New pool");
  await form.getByLabel("Name").fill("floor");
  await form.getByLabel("For whom").selectOption("floating");
  await form.getByLabel("Running spares").fill("30");
  await form.getByLabel("Most desktops").fill("20");
  await form.getByRole("button", { name: "Make pool" }).hover();
  await page.getByText("It cannot keep more ready than it may hold").first().waitFor();
  await form.getByLabel("Running spares").fill("3");
  await form.getByLabel("Waits for its person, in minutes").fill("15");
  await accessible(page, "a pool's spares");
  await picture(page, "pool-spares");
  const sent = page.waitForRequest((request) => request.method() === "POST");
  await form.getByRole("button", { name: "Make pool" }).click();
  expect((await sent).postDataJSON()).toMatchObject({
    kind: "floating",
    size: { running_spares: 3, stopped_spares: 0, min: 0, return_minutes: 15 },
  });
  await page.getByText("floating, waits 15 minutes for its person").waitFor();
  await page.getByText("0 of 3 ready").waitFor();
  await button(page, "Actions for floor").click();
  await page.getByRole("menuitem", { name: "Edit…" }).click();
  const again = dialogue(page, "Edit floor");
  expect(await again.getByLabel("Running spares").inputValue()).toBe("3");
  await context.close();

  const person = await visit("mira");
  await button(person.page, "Get a desktop of lab").click();
  await person.page.getByText("lab-1 is yours").first().waitFor();
  await card(person.page, "lab-1").waitFor();
  expect(await button(person.page, "Get a desktop of lab").count()).toBe(0);
  await picture(person.page, "my-desktops-taken");
  await person.context.close();
});

test("a program is published with its icon, changed, and published no longer", async () => {
  const { page, context } = await visit("admin", "/pools");
  await button(page, "Actions for lab").click();
  await page.getByRole("menuitem", { name: "Programs…" }).click();
  await dialogue(page, "Programs of lab").getByText("It publishes no programs yet.").waitFor();
  await button(page, "Publish a program").click();
  const form = dialogue(page, "Publish a program of lab");
  await form.getByLabel("Name").fill("Ledger");
  await form.getByLabel("Kind").selectOption("remote");
  await form.getByLabel("Program").fill("||ledger");
  const file = form.locator('input[type="file"]');
  await file.setInputFiles({ name: "icon.png", mimeType: "image/png", buffer: Buffer.from("<svg/>") });
  await form.getByText("It is no PNG: choose another file").waitFor();
  const png =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
  await file.setInputFiles({ name: "icon.png", mimeType: "image/png", buffer: Buffer.from(png, "base64") });
  await form.locator(`img[src="data:image/png;base64,${png}"]`).waitFor();
  await accessible(page, "publishing a program");
  const sent = page.waitForRequest((request) => request.method() === "POST");
  await form.getByRole("button", { name: "Publish" }).click();
  expect((await sent).postDataJSON()).toEqual({
    name: "Ledger",
    run: { remote_app: "||ledger", initial_program: null, arguments: null, folder: null },
    icon: png,
  });
  const list = dialogue(page, "Programs of lab");
  await list.getByText("||ledger").waitFor();
  await accessible(page, "programs of a pool");
  await list.getByRole("button", { name: "Actions for Ledger" }).click();
  await page.getByRole("menuitem", { name: "Publish no longer…" }).click();
  await page.getByRole("button", { name: "Publish no longer" }).click();
  await dialogue(page, "Programs of lab").getByText("It publishes no programs yet.").waitFor();
  await context.close();
});

test("a browser that nobody touched is opened again with the password", async () => {
  const { page, context } = await visit("locked");
  await heading(page, "Locked").waitFor();
  await accessible(page, "locked");
  await picture(page, "locked");
  await page.getByLabel("Password").fill("guess");
  await button(page, "Unlock").click();
  await page.getByText("is not right", { exact: false }).waitFor();
  await page.getByLabel("Password").fill("password");
  await button(page, "Unlock").click();
  await heading(page, "My desktops").waitFor();
  await context.close();
});

test("a second factor: asked at the door, set up at the door, changed under My account, reset by an admin", async () => {
  const { page, context } = await visit("two-factor");
  await heading(page, "Second factor").waitFor();
  await page.getByLabel("Code").fill("000000");
  await page.getByLabel("Do not ask in this browser for 30 days").check();
  await button(page, "Go on").click();
  await page.getByText("The code is not right, or was used already.").waitFor();
  await accessible(page, "a code that is not right");
  await page.getByLabel("Code").fill("123456");
  await button(page, "Go on").click();
  await heading(page, "My desktops").waitFor();

  await button(page, "Account: two-factor").click();
  await page.getByRole("menuitem", { name: "My account" }).click();
  await heading(page, "My account").waitFor();
  await page.getByText("10 recovery codes left", { exact: false }).waitFor();
  await page.getByText("Chrome on Linux, until", { exact: false }).waitFor();
  await accessible(page, "my account");
  await picture(page, "account-second-factor");
  await button(page, "Forget Chrome on Linux").click();
  await page.getByRole("list", { name: "Remembered browsers" }).waitFor({ state: "detached" });
  await button(page, "New recovery codes").click();
  const renew = dialogue(page, "New recovery codes");
  await renew.getByLabel("Your password").fill("guess");
  await renew.getByRole("button", { name: "Make new codes" }).click();
  await renew.getByText("is not right", { exact: false }).waitFor();
  await renew.getByLabel("Your password").fill("password");
  await renew.getByRole("button", { name: "Make new codes" }).click();
  const codes = dialogue(page, "Recovery codes");
  const listed = codes.getByRole("list", { name: "Recovery codes" }).getByRole("listitem");
  await listed.nth(9).waitFor();
  expect(await listed.count()).toBe(10);
  await accessible(page, "recovery codes");
  await picture(page, "recovery-codes");
  await codes.getByRole("button", { name: "I have kept them" }).click();
  await button(page, "Turn off").click();
  await dialogue(page, /Turn the second factor off/)
    .getByLabel("Your password")
    .fill("password");
  await dialogue(page, /Turn the second factor off/)
    .getByRole("button", { name: "Turn off" })
    .click();
  await page.getByText("Only your password guards this account.").waitFor();
  await button(page, "Set up an app").click();
  const setUp = dialogue(page, "Set up an authenticator app");
  await setUp.getByLabel("Your password").fill("password");
  await setUp.getByRole("button", { name: "Go on" }).click();
  await setUp.getByRole("img", { name: "QR code for an authenticator app" }).waitFor();
  await accessible(page, "setting up an app");
  await picture(page, "account-set-up");
  await setUp.getByLabel("Code that the app shows").fill("123456");
  await setUp.getByRole("button", { name: "Set up" }).click();
  await codes.getByRole("button", { name: "I have kept them" }).click();
  await page.getByText("An authenticator app is asked", { exact: false }).waitFor();
  await context.close();

  const newcomer = await visit("must-enrol");
  await heading(newcomer.page, "Set up a second factor").waitFor();
  await newcomer.page.getByRole("img", { name: "QR code for an authenticator app" }).waitFor();
  await newcomer.page.getByLabel("Code that the app shows").fill("123456");
  await button(newcomer.page, "Set up and go on").click();
  await heading(newcomer.page, "Keep these codes").waitFor();
  await accessible(newcomer.page, "recovery codes at the door");
  await picture(newcomer.page, "enrol-codes");
  // Whoever looks away to keep them finds them still there.
  await newcomer.page.evaluate(() => document.dispatchEvent(new Event("visibilitychange")));
  await newcomer.page.waitForTimeout(300);
  await button(newcomer.page, "I have kept them").click();
  await heading(newcomer.page, "My desktops").waitFor();
  await newcomer.context.close();

  const admin = await visit("admin", "/users");
  await heading(admin.page, "Users and groups").waitFor();
  await button(admin.page, "Actions for two-factor").click();
  await admin.page.getByRole("menuitem", { name: "Reset second factor…" }).click();
  const reset = dialogue(admin.page, /Reset the second factor of two-factor/);
  await accessible(admin.page, "resetting a second factor");
  await reset.getByRole("button", { name: "Reset second factor" }).click();
  await admin.page.getByText("two-factor has no second factor now").first().waitFor();
  await admin.context.close();
});
