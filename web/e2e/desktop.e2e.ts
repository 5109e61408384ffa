/** The desktop in a tab over RDP: keys, size, clipboard, picture, coming back. */
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, it } from "vitest";
import { heard, overhear } from "../src/viewer/testing/ear";
import {
  type Desktop,
  decode,
  differing,
  eventually,
  measured,
  type Shell,
  type Viewer,
  Visit,
} from "./oriel";

const TEXT = "hällo €@{}";
/** The display that xrdp gives the first session. */
const SESSION = "DISPLAY=:10 XAUTHORITY=$HOME/.Xauthority";

let visit: Visit;
let desktop: Desktop;
let shell: Shell;
let screen: Viewer;

beforeAll(async () => {
  visit = await Visit.start();
  await visit.context.addInitScript(overhear);
  const page = await visit.signIn();
  desktop = await visit.desktop(page);
  screen = await visit.view(desktop, "rdp");
  shell = await visit.shell(desktop);
  await screen.page.bringToFront();
});
afterAll(() => visit?.close());

/** Waits until a window of this class is open and has the focus. */
const inFront = (name: string) =>
  eventually(`a window of ${name}`, () =>
    shell.answers(
      `${SESSION} xprop -id $(${SESSION} xprop -root -notype _NET_ACTIVE_WINDOW | grep -o '0x[0-9a-f]*' | head -n 1) WM_CLASS | grep -ci ${name}`,
      "1",
    ),
  );

it("takes text with AltGr and umlauts into a terminal", async () => {
  await shell.run(
    `rm -f /tmp/typed /tmp/own.png; ${SESSION} setsid xfce4-terminal --disable-server --maximize -x sh -c 'cat > /tmp/typed' >/dev/null 2>&1 </dev/null &`,
  );
  await eventually("a terminal in the desktop", () => shell.answers("test -e /tmp/typed && echo yes", "yes"));
  await inFront("terminal");
  await screen.settled();
  await screen.page.mouse.click(500, 400);
  await screen.type(`${TEXT}\n`);
  await eventually("the text in the guest", () => shell.answers("cat /tmp/typed", TEXT));
  await shell.run("pkill -f 'cat > /tmp/typed'; true");
});

it("takes the window's size", async () => {
  for (const [width, height] of [
    [1100, 700],
    [1280, 800],
  ] as const) {
    const start = Date.now();
    await screen.page.setViewportSize({ width, height });
    await screen.page.waitForFunction(
      ([w, h]) => window.oriel?.stats().width === w && window.oriel?.stats().height === h,
      [width, height],
    );
    measured(`window's new size to the desktop's, ${width}x${height}`, Date.now() - start);
    const own = await shell.run(`${SESSION} xdpyinfo | sed -n 's/.*dimensions: *\\([0-9x]*\\).*/\\1/p'`);
    expect(own).toBe(`${width}x${height}`);
  }
});

it("shares text both ways", async () => {
  await shell.run(`printf 'von drüben €' | ${SESSION} xclip -selection clipboard -in >/dev/null 2>&1`);
  await eventually("the desktop's clipboard here", () =>
    screen.page.evaluate(() => navigator.clipboard.readText().then((text) => text === "von drüben €")),
  );
  await screen.page.evaluate(() => navigator.clipboard.writeText("von hier ß"));
  await screen.page.evaluate(() => window.dispatchEvent(new Event("focus")));
  await eventually("this clipboard in the desktop", () =>
    shell.answers(`${SESSION} timeout 5 xclip -selection clipboard -out || true`, "von hier ß"),
  );
});

it("is heard: a tone of the desktop comes out of the page", async () => {
  const sounds = async () => (await screen.stats()).sound as unknown as { played: number };
  await eventually("a sound card in the session", () =>
    shell.answers("pactl list short sinks | grep -c xrdp-sink", "1"),
  );
  await screen.page.mouse.click(500, 400);
  await screen.page.waitForFunction(() =>
    JSON.stringify(window.oriel?.stats().sound).includes('"listening":true'),
  );
  const tone = "struct.pack('<hh', *[int(9000*math.sin(t*1000*math.tau/44100))]*2) for t in range(441000)";
  await shell.run(
    `python3 -c "import wave,math,struct; w=wave.open('/tmp/tone.wav','wb'); w.setparams((2,2,44100,0,'NONE','')); w.writeframes(b''.join(${tone}))"`,
  );
  const start = Date.now();
  await shell.run("(paplay --device=xrdp-sink /tmp/tone.wav >/tmp/paplay.log 2>&1 </dev/null &)");
  await eventually("the tone in the page", async () => {
    const { hz, db } = await screen.page.evaluate(heard);
    return Math.abs(hz - 1000) < 5 && db > -40;
  });
  measured("a tone of the desktop to the page", Date.now() - start);
  process.stdout.write(
    `e2e: sound ${JSON.stringify(await screen.page.evaluate(heard))} ${JSON.stringify((await screen.stats()).sound)}\n`,
  );
  await screen.page.keyboard.press("Control+Alt+Shift");
  await screen.page.getByRole("button", { name: "Sound" }).press("Enter");
  await screen.page.waitForFunction(() =>
    JSON.stringify(window.oriel?.stats().sound).includes('"listening":false'),
  );
  const { played } = await sounds();
  await screen.page.waitForTimeout(1000);
  expect((await sounds()).played).toBe(played);
  expect(await shell.run("cat /tmp/paplay.log; rm /tmp/tone.wav")).toBe("");
  await screen.page.getByRole("button", { name: "Sound" }).press("Enter");
  await screen.page.mouse.click(500, 400);
});

it("prints into the page", async () => {
  await shell.run("printf 'P5 8 8 255 ' > /tmp/page.pgm; head -c 64 /dev/zero >> /tmp/page.pgm");
  const start = Date.now();
  // As programs print: through the print system, on the printer that it has.
  expect(await shell.run("lpstat -d")).toBe("system default destination: Oriel");
  await shell.run("lp -t 'Über: alles/1' /tmp/page.pgm >/tmp/lp.log 2>&1; cat /tmp/lp.log");
  const card = screen.page.locator(".prints section");
  await card.getByText("Über_ alles_1.pdf").waitFor({ timeout: 120_000 });
  measured("a page of the desktop, printed into the page", Date.now() - start);
  const [saved] = await Promise.all([
    screen.page.waitForEvent("download"),
    card.getByRole("link", { name: "Save" }).click(),
  ]);
  const bytes = readFileSync(await saved.path());
  expect(bytes.subarray(0, 5).toString()).toBe("%PDF-");
  expect(bytes.includes("/Page")).toBe(true);
  await screen.page.mouse.click(500, 400);
});

it("shows what the guest's own screenshot shows", async () => {
  // Where nothing lights up or says what it is.
  await screen.page.mouse.move(250, 700);
  await shell.run(`${SESSION} setsid thunar /etc >/dev/null 2>&1 </dev/null &`);
  await inFront("thunar");
  // A program that is still drawing when the guest takes its picture is given another chance; what stays different is wrong.
  let cells = 0;
  let different = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 5 && different >= cells * 0.01; round += 1) {
    await screen.settled();
    await shell.run(`${SESSION} xfce4-screenshooter -f -s /tmp/own.png >/dev/null 2>&1; sleep 2`);
    const png = (await shell.run("base64 -w 100 /tmp/own.png")).replaceAll(/\s/g, "");
    const own = await decode(shell.page, png);
    const ours = await screen.picture();
    expect([ours.width, ours.height]).toEqual([own.width, own.height]);
    cells = own.grid.length;
    different = differing(own, ours, 4);
    process.stdout.write(`e2e: ${different} of ${cells} cells differ from the guest's own screenshot\n`);
  }
  // The pointer's cell, a clock that went on, a cursor that blinks: a handful of 1,000 cells of 32 by 32 pixels.
  expect(different).toBeLessThan(cells * 0.01);
  await shell.run("pkill -ix thunar; true");
});

it("comes back after a cut with the same session", async () => {
  const before = await shell.run("pgrep -u $USER -x xfce4-session");
  const connection = await screen.page.evaluate(() => window.oriel?.connection);
  const start = Date.now();
  await screen.page.evaluate(() => window.oriel?.cut());
  expect(await screen.page.evaluate(() => window.oriel?.phase)).toBe("cut");
  await screen.page.waitForFunction(() => window.oriel?.phase === "live");
  measured("cut to live again", Date.now() - start);
  expect(await screen.page.evaluate(() => window.oriel?.connection)).toBe(connection);
  expect(await shell.run("pgrep -u $USER -x xfce4-session")).toBe(before);
});

it("keeps a shell through a cut", async () => {
  await shell.run("cd /tmp; export KEPT=yes");
  await shell.page.evaluate(() => window.oriel?.cut());
  await shell.page.waitForFunction(() => window.oriel?.phase === "live");
  expect(await shell.run("pwd; echo $KEPT")).toBe("/tmp\nyes");
});

it("made the browser complain of nothing", () => {
  expect(visit.complaints).toEqual([]);
});
