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

/** The last program that runs at the text console, and whose it is. */
const AT_CONSOLE = "ps -t tty1 -o user=,comm= | tail -n 1 | tr -s ' '";

it("is a prompt of the desktop's person, and takes text with AltGr and umlauts", async () => {
  // Nobody was told the account's password: who got as far as this sees no login.
  await shell.run("rm -f /tmp/console; pkill -t tty1 -x cat; sudo chvt 1");
  const user = await shell.run("id -un");
  await eventually("a prompt", () => shell.answers(AT_CONSOLE, `${user} bash`));
  await screen.page.bringToFront();
  await screen.type("cat > /tmp/console\n");
  await eventually("a program started at the console", () => shell.answers(AT_CONSOLE, `${user} cat`));
  await screen.type(`${TEXT}\n`);
  await eventually("the text in the guest", () => shell.answers("cat /tmp/console", TEXT));
  await shell.run("pkill -t tty1 -x cat");
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
