/** Machines that Oriel does not make: devices, what is behind them, and those that are dialled. */
import { expect, test } from "vitest";
import { accessible, browsing, button, card, dialogue, heading, picture } from "./browser";

const visit = browsing();

test("devices: a wall that is searched, buttons that are believed by the light, images from here and from elsewhere", async () => {
  const { page, context } = await visit("admin", "/devices");
  await heading(page, "Devices").waitFor();
  await card(page, "rack-1").getByText("1920 × 1080").waitFor();
  await card(page, "rack-3").getByText("connection refused").waitFor();
  await page.getByLabel("Find").fill("off");
  await card(page, "rack-1").waitFor({ state: "detached" });
  await accessible(page, "a wall of devices");
  await picture(page, "devices-off");
  await card(page, "rack-2").getByRole("link", { name: "rack-2" }).press("Enter");

  await heading(page, "rack-2").waitFor();
  await page.getByText("The device has no picture: no video signal").waitFor();
  await button(page, "Power on").click();
  await page.getByText("waiting for the power light to go on").waitFor();
  await page.getByText("Power on: done, the power light is on.").waitFor();
  await page.getByText("The device has no picture").waitFor({ state: "detached" });
  await button(page, "Cut power").click();
  const sure = dialogue(page, /Cut power: rack-2/);
  await sure.getByText("what is not saved is lost").waitFor();
  await sure.getByRole("button", { name: "Cancel" }).click();

  const file = {
    name: "tools.iso",
    mimeType: "application/octet-stream",
    buffer: Buffer.alloc(3_000_000),
  };
  await page.locator('input[type="file"]').setInputFiles(file);
  await page.getByText("tools.iso: 2.9 MiB of 2.9 MiB, done").waitFor();
  await page.getByLabel("Fetch an image").fill("https://mirror.example/net.iso");
  await button(page, "Fetch").click();
  await page.getByText("net.iso is there.").waitFor();
  await page.getByRole("combobox", { name: "In its drive" }).selectOption("tools.iso");
  await page.getByRole("combobox", { name: "As" }).selectOption("stick");
  await button(page, "Insert").click();
  await page.getByText("which the machine sees as a stick").waitFor();
  await button(page, "Fan: press").click();
  await dialogue(page, /Fan: press: rack-2/)
    .getByRole("button", { name: "Cancel" })
    .click();
  await button(page, "Read its own log").click();
  await page.getByText("--- Ready").waitFor();
  await accessible(page, "a device");
  await picture(page, "device");
  await context.close();
});

test("a machine with a BMC: an image by its address, its next start, and the machine inside", async () => {
  const { page, context } = await visit("admin", "/devices/node-7");
  await heading(page, "node-7").waitFor();
  await page.getByText("System.Embedded.1").waitFor();
  await page.getByRole("link", { name: "Open node-7-rdp" }).waitFor();
  await page.getByLabel("Image's address").fill("https://mirror.example/debian.iso");
  await button(page, "Insert").click();
  await page.getByText("CD (CD, DVD): https://mirror.example/debian.iso").waitFor();
  await page.getByRole("combobox", { name: "At its next start, from" }).selectOption("pxe");
  await button(page, "Set for one start").click();
  await page.getByText("It starts from Pxe once").waitFor();
  await accessible(page, "a machine with a BMC");
  await picture(page, "device-bmc");
  await context.close();
});

test("a desktop's CD drive: an image from here, inserted, started from once and ejected", async () => {
  const { page, context } = await visit("admin", "/");
  await button(page, "Actions for studio-1").click();
  await page.getByRole("menuitem", { name: "CD drive…" }).click();
  const drive = dialogue(page, "CD drive of studio-1");
  await drive.getByText("The drive is empty.").waitFor();
  const file = { name: "tools.iso", mimeType: "application/octet-stream", buffer: Buffer.alloc(3_000_000) };
  await drive.locator('input[type="file"]').setInputFiles(file);
  await drive.getByText("tools.iso: 2.9 MiB of 2.9 MiB, done").waitFor();
  await drive.getByLabel("Image", { exact: true }).selectOption("tools.iso");
  await drive.getByRole("button", { name: "Insert" }).click();
  await drive.getByText("tools.iso is in the drive.").waitFor();
  await drive.getByRole("button", { name: "Start from it once" }).click();
  await drive.getByText("when it starts next, and not again").waitFor();
  await accessible(page, "a desktop's CD drive");
  await drive.getByRole("button", { name: "Eject" }).click();
  await drive.getByText("The drive is empty.").waitFor();
  await context.close();
});

test("a Switch: its ports, and one of them given to a pool", async () => {
  const { page, context } = await visit("admin", "/devices/kvm");
  const ports = page.getByRole("grid", { name: "Ports of kvm" });
  await ports.getByRole("link", { name: "build" }).waitFor();
  await button(page, "Give 1.1 to a pool…").click();
  const enter = dialogue(page, /Port 1.1 of kvm/);
  await enter.getByLabel("Pool").selectOption("workshop");
  await enter.getByLabel("Name").fill("mail");
  await enter.getByRole("button", { name: "Add" }).click();
  await ports.getByRole("link", { name: "mail" }).click();
  await heading(page, "mail").waitFor();
  await page.getByText("no: opening it makes it active").waitFor();
  await accessible(page, "a port of a Switch");
  await context.close();
});

test("external machines: a pool of them, adding one, who it is, opening it", async () => {
  const { page, context } = await visit("admin", "/pools");
  await button(page, "New pool of machines").click();
  const form = dialogue(page, "New pool of machines");
  await form.getByLabel("Name").fill("lab-machines");
  await accessible(page, "making a pool of machines");
  await form.getByRole("button", { name: "Make pool" }).click();
  await page.getByText("The pool lab-machines was made").first().waitFor();
  await page.getByRole("link", { name: "Machines of lab-machines" }).click();
  await heading(page, "lab-machines").waitFor();
  await page.getByText("No machines yet").waitFor();

  await button(page, "Add machine").first().click();
  const add = dialogue(page, "Add a machine to lab-machines");
  await add.getByPlaceholder("front-desk").fill("scope");
  await add.getByLabel("Address").fill("10.1.2.3");
  await add.getByLabel("Windows domain", { exact: true }).fill("LAB");
  await accessible(page, "adding a machine");
  await picture(page, "machine-add-rdp");
  await add.getByRole("button", { name: "Add machine" }).click();
  await add.getByText("set external.allow").waitFor();
  await add.getByLabel("Speaks").selectOption("ssh");
  await add.getByLabel("Address").fill("scope.example");
  await add.getByLabel("Account").fill("root");
  await add.getByLabel("Private key").fill("-----BEGIN OPENSSH PRIVATE KEY-----\n");
  await add.getByLabel("Passphrase of the key").fill("secret");
  await add.getByLabel("Certificate of the key").fill("ssh-ed25519-cert-v01@openssh.com AAAA");
  await add.getByLabel("Command").fill("tmux attach");
  await add.getByLabel("Jump host").fill("gate");
  await add.getByLabel("Backspace sends").selectOption("control_h");
  await picture(page, "machine-add-ssh");
  await add.getByRole("button", { name: "Add machine" }).click();
  await page.getByText("scope was added").first().waitFor();
  await page.getByRole("gridcell", { name: "root, by key" }).waitFor();
  // What was entered is what is edited; what belongs to another protocol is not sent along.
  await button(page, "Actions for scope").click();
  await page.getByRole("menuitem", { name: "Edit…" }).click();
  const again = dialogue(page, "Edit scope");
  expect(await again.getByLabel("Jump host").inputValue()).toBe("gate");
  expect(await again.getByLabel("Backspace sends").inputValue()).toBe("control_h");
  expect(await again.getByLabel("Certificate of the key").inputValue()).toContain("AAAA");
  expect(await again.getByLabel("Windows domain").count()).toBe(0);
  await again.getByRole("button", { name: "Cancel" }).click();

  await page.goto(`${new URL(page.url()).origin}/pools/workshop`);
  await button(page, "Add machine").first().click();
  const more = dialogue(page, "Add a machine to workshop");
  await more.getByLabel("Speaks").selectOption("vnc");
  await more.getByLabel("JPEG quality").selectOption("7");
  await more.getByLabel("Speaks").selectOption("telnet");
  await more.getByLabel("Prompt for the account").fill("login: *$");
  await accessible(page, "adding a machine that speaks telnet");
  await picture(page, "machine-add-telnet");
  await more.getByRole("button", { name: "Cancel" }).click();
  await page.getByRole("gridcell", { name: "whoever is met first" }).waitFor();
  await picture(page, "machines");
  await button(page, "Actions for front-desk").click();
  await page.getByRole("menuitem", { name: "Identity…" }).click();
  const who = dialogue(page, "Who is front-desk?");
  await who.getByText("It shows another one than is kept").waitFor();
  await accessible(page, "a machine's identity");
  await picture(page, "machine-identity");
  await who.getByRole("button", { name: "Accept the new one" }).click();
  await page.getByText("front-desk must show this from now on").first().waitFor();
  await button(page, "Actions for front-desk").click();
  await page.getByRole("menuitem", { name: "Edit…" }).click();
  const edit = dialogue(page, "Edit front-desk");
  await edit.getByText("One is kept; leave empty to keep it").waitFor();
  await edit.getByLabel("Port", { exact: true }).fill("3390");
  await edit.getByRole("button", { name: "Save" }).click();
  await page.getByText("10.20.0.12:3390").waitFor();
  await context.close();

  const person = await visit("mira");
  const open = card(person.page, "front-desk").getByRole("link", { name: /^Open front-desk/ });
  expect(await open.getAttribute("href")).toContain("kind=rdp");
  const screen = card(person.page, "kiosk").getByRole("link", { name: /^Open kiosk/ });
  expect(await screen.getAttribute("href")).toContain("kind=vnc");
  const shell = card(person.page, "build-server").getByRole("link", { name: /^Shell build-server/ });
  expect(await shell.getAttribute("href")).toContain("kind=ssh");
  await card(person.page, "kiosk").getByText("It did not answer").waitFor();
  expect(await person.page.getByRole("button", { name: "Actions for kiosk" }).count()).toBe(0);
  expect(await card(person.page, "old-switch").count()).toBe(0);
  await person.context.close();
  const owner = await visit("admin");
  const terminal = card(owner.page, "old-switch").getByRole("link", { name: /^Shell old-switch/ });
  expect(await terminal.getAttribute("href")).toContain("kind=ssh");
  await owner.context.close();
});
