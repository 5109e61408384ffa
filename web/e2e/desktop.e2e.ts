/** One desktop, three ways in: its RDP session, its console and its shell. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Desktop, decode, differing, type Shell, type Viewer, Visit } from "./oriel";

const TEXT = "hällo €@{}";
/** The display that xrdp gives the first session. */
const SESSION = "DISPLAY=:10 XAUTHORITY=$HOME/.Xauthority";

let visit: Visit;
let desktop: Desktop;
let shell: Shell;
let screen: Viewer;

beforeAll(async () => {
  visit = await Visit.start("de");
  const page = await visit.signIn();
  desktop = await visit.desktop(page);
  screen = await visit.view(desktop, "rdp");
  shell = await visit.shell(desktop);
});
afterAll(() => visit?.close());

const eventually = async (what: () => Promise<boolean>, seconds = 60) => {
  const end = Date.now() + seconds * 1000;
  while (!(await what())) {
    if (Date.now() > end) throw new Error(`not within ${seconds} s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
};

describe("the RDP desktop", () => {
  it("takes text with AltGr and umlauts into a terminal", async () => {
    await shell.run(
      `rm -f /tmp/typed; ${SESSION} nohup xfce4-terminal --maximize -x sh -c 'cat > /tmp/typed' >/dev/null 2>&1 &`,
    );
    await eventually(
      async () => (await shell.run("test -e /tmp/typed && echo there || echo not")) === "there",
    );
    await screen.page.bringToFront();
    await screen.page.waitForTimeout(3000);
    await screen.page.mouse.click(500, 400);
    await screen.type(`${TEXT}\n`);
    await eventually(async () => (await shell.run("cat /tmp/typed")) === TEXT);
  });

  it("takes the window's size", async () => {
    await screen.page.bringToFront();
    await screen.page.setViewportSize({ width: 1100, height: 700 });
    await screen.page.waitForFunction(
      () => window.oriel?.stats().width === 1100 && window.oriel?.stats().height === 700,
    );
    const size = await shell.run(`${SESSION} xdpyinfo | sed -n 's/.*dimensions: *\\([0-9x]*\\).*/\\1/p'`);
    expect(size).toBe("1100x700");
  });

  it("shares text both ways", async () => {
    await screen.page.bringToFront();
    await shell.run(`printf 'von drüben €' | ${SESSION} xclip -selection clipboard -in >/dev/null 2>&1`);
    await eventually(() =>
      screen.page.evaluate(() => navigator.clipboard.readText().then((text) => text === "von drüben €")),
    );
    await screen.page.evaluate(() => navigator.clipboard.writeText("von hier ß"));
    await screen.page.evaluate(() => window.dispatchEvent(new Event("focus")));
    await eventually(
      async () =>
        (await shell.run(`${SESSION} timeout 5 xclip -selection clipboard -out || true`)) === "von hier ß",
    );
  });

  it("shows what the guest's own screenshot shows", async () => {
    await screen.page.bringToFront();
    await screen.page.mouse.move(5, 5);
    await shell.run(`${SESSION} xfce4-screenshooter -f -s /tmp/own.png >/dev/null 2>&1; sleep 2`);
    const own = await decode(
      shell.page,
      (await shell.run("base64 -w 100 /tmp/own.png")).replaceAll(/\s/g, ""),
    );
    const ours = await screen.picture();
    expect([ours.width, ours.height]).toEqual([own.width, own.height]);
    // A clock that went on and a cursor that blinks may differ.
    expect(differing(own, ours, 12)).toBeLessThan(own.grid.length * 0.03);
  });

  it("comes back after a cut with the same session", async () => {
    const before = await shell.run("pgrep -u $USER -x xfce4-session");
    const connection = await screen.page.evaluate(() => window.oriel?.connection);
    await screen.page.evaluate(() => window.oriel?.cut());
    await screen.page.waitForFunction(() => window.oriel?.phase === "live");
    expect(await screen.page.evaluate(() => window.oriel?.connection)).toBe(connection);
    expect(await shell.run("pgrep -u $USER -x xfce4-session")).toBe(before);
  });
});

describe("the console", () => {
  it("shows a picture and takes keys", async () => {
    const console_ = await visit.view(desktop, "vnc");
    const { width, height } = await console_.stats();
    expect([width, height].every((side) => (side ?? 0) >= 400)).toBe(true);
    const frames = (await console_.stats()).frames ?? 0;
    await console_.type("hallo\n");
    await console_.page.waitForFunction((seen) => Number(window.oriel?.stats().frames) > seen, frames);
    await console_.page.close();
  });
});

describe("the shell", () => {
  it("continues after a cut", async () => {
    await shell.run("cd /tmp; export KEPT=yes");
    await shell.page.evaluate(() => window.oriel?.cut());
    await shell.page.waitForFunction(() => window.oriel?.phase === "live");
    expect(await shell.run("pwd; echo $KEPT")).toBe("/tmp\nyes");
  });
});

it("made the browser complain of nothing", () => {
  expect(visit.complaints).toEqual([]);
});
