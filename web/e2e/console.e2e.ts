/** The machine's own screen over VNC. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Desktop, eventually, type Shell, type Viewer, Visit } from "./oriel";

const TEXT = "hällo €@{}";

let visit: Visit;
let desktop: Desktop;
let shell: Shell;
let screen: Viewer;

beforeAll(async () => {
  visit = await Visit.start();
  desktop = await visit.desktop(await visit.signIn());
  shell = await visit.shell(desktop);
  screen = await visit.view(desktop, "vnc");
});
afterAll(() => visit?.close());

it("takes text with AltGr and umlauts at the text console", async () => {
  // Nobody but Oriel knows the account's password, so that a program of ours waits there instead of the login.
  await shell.run("rm -f /tmp/console; sudo openvt -f -s -c 8 -- sh -c 'cat > /tmp/console'");
  await eventually("our program at the console", () => shell.answers("sudo fgconsole", "8"));
  await screen.page.bringToFront();
  await screen.page.waitForTimeout(1000);
  await screen.type(`${TEXT}\n`);
  await eventually("the text in the guest", () => shell.answers("cat /tmp/console", TEXT));
  await shell.run("sudo pkill -f 'cat > /tmp/console'; sudo chvt 1");
});

it("comes back after a cut", async () => {
  await screen.page.evaluate(() => window.oriel?.cut());
  await screen.page.waitForFunction(() => window.oriel?.phase === "live");
  const { width, height } = await screen.stats();
  expect([width, height].every((side) => (side ?? 0) >= 400)).toBe(true);
});

it("made the browser complain of nothing", () => {
  expect(visit.complaints).toEqual([]);
});
