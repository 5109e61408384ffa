// The half of the lab's scene `node` that runs on this machine: the real program before the node, and a person with Chromium before that.
// What the machine behind the node gets is asked at the scene's door.
//
//   node web/lab/node.mjs PORT-OF-THE-NODE PORT-OF-THE-DOOR       `lab/boot node` starts it
//
// ORIEL_LAB_NUMBERS=1 measures for longer.
import { createHash, randomBytes } from "node:crypto";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { check, measured, pause, SLOW, spread, until } from "./cases.mjs";
import { Door } from "./door.mjs";
import { House } from "./house.mjs";
import { iso } from "./iso.mjs";

const ROOT = process.env.LAB_ROOT ?? fileURLToPath(new URL("../..", import.meta.url));
const OUT = process.env.LAB_OUT ?? `${ROOT}/target/test/lab/node`;
const [NODE_PORT, DOOR_PORT] = process.argv.slice(2).map(Number);
const NAME = "board";
const ROUNDS = 10;
const LONG = process.env.ORIEL_LAB_NUMBERS === "1";
const [CHANGES, USE_MS] = LONG ? [100, 30_000] : [20, 10_000];
/** Until the machine within has booted and its GPIO chip is there: the scene's own limit comes first. */
const BOOT_MS_MAX = 400_000;

/** vivid's bars of 75 %, from the left; the picture is 1280 wide. */
const BARS = [
  ["white", 191, 191, 191],
  ["yellow", 191, 191, 0],
  ["cyan", 0, 191, 191],
  ["green", 0, 191, 0],
  ["magenta", 191, 0, 191],
  ["red", 191, 0, 0],
  ["blue", 0, 0, 191],
  ["black", 0, 0, 0],
];
/** A JPEG's, and greens of BT.709 that are shown as BT.601. */
const SLACK = 40;
const PLAIN = [
  ["100% Red", [255, 0, 0]],
  ["100% Blue", [0, 0, 255]],
];
const KEYS = { a: 30, b: 48, c: 46, d: 32, e: 18, f: 33, g: 34, h: 35, i: 23, j: 36, k: 37 };

const near = (rgb, wanted) => rgb.every((value, at) => Math.abs(value - wanted[at]) <= SLACK);

/** Waits in the page, so that no time is lost on the way; when it was, in milliseconds since the epoch. */
const shown = (page, wanted, ms) =>
  page.evaluate(
    async ([colour, slack, most]) => {
      let rgb = [];
      for (const end = performance.now() + most; performance.now() < end; ) {
        rgb = await window.oriel.pixel(640, 500);
        if (rgb.every((value, at) => Math.abs(value - colour[at]) <= slack)) return Date.now();
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
      throw new Error(`the picture is ${rgb} and not ${colour} after ${most} ms`);
    },
    [wanted, SLACK, ms * SLOW],
  );

/** Presses a key in the browser until the machine has it, once down and once up. */
async function typed(page, door, key) {
  await door.ask("keys");
  const seen = [];
  await until(
    `the key ${key} in the machine`,
    async () => {
      await page.keyboard.press(key);
      await pause(300);
      seen.push(...(await door.ask("keys")));
      const own = seen.filter(([code]) => code === KEYS[key]).map(([, value]) => value);
      if (own.includes(1) && own.at(-1) === 0) return true;
      throw new Error(`it had ${JSON.stringify(seen)}`);
    },
    30_000,
  );
}

/** What the node itself answers. */
async function node(path) {
  const answer = await fetch(`https://127.0.0.1:${NODE_PORT}${path}`, {
    headers: { "X-KVMD-User": "admin", "X-KVMD-Passwd": "lab" },
    signal: AbortSignal.timeout(20_000 * SLOW),
  });
  await answer.arrayBuffer();
  return answer.status;
}

async function picture(house, door) {
  let page;
  const opened = await check("its screen opens in Chromium", async () => {
    page = await house.screen(NAME);
  });
  if (!opened) return null;
  await check("which shows the bars that the machine sends, in their places and colours", async () => {
    for (const [at, [name, ...wanted]] of BARS.entries()) {
      let rgb = [];
      await until(
        `${name} at ${at * 160 + 80}`,
        async () => {
          rgb = await page.evaluate((x) => window.oriel.pixel(x, 500), at * 160 + 80);
          if (near(rgb, wanted)) return true;
          throw new Error(`it is ${rgb}`);
        },
        10_000,
      );
      console.error(`${name}: ${rgb}`);
    }
    const { width, height } = await page.evaluate(() => window.oriel.stats());
    if (width !== 1280 || height !== 720) throw new Error(`it is ${width} x ${height}`);
  });
  await page.screenshot({ path: join(OUT, "screen.png") });
  await check("a key of the browser goes down and up in the machine", () => typed(page, door, "a"));
  return page;
}

async function devicePage(house, door) {
  const page = await house.page(`/devices/${NAME}`);
  const main = page.getByRole("main");
  await check("the machine's caps lock light is seen on the device's page", async () => {
    const caps = main.getByText(/^caps(,|$)/);
    await main.getByText("Locks", { exact: true }).waitFor();
    await door.ask("light", 1, 1);
    await caps.waitFor();
    await door.ask("light", 1, 0);
    await caps.waitFor({ state: "detached" });
  });
  await check("Power on presses the button once, and briefly", async () => {
    await main.getByRole("button", { name: "Power on" }).click();
    const presses = await until("a pulse on the line", async () => {
      const took = await door.ask("presses", 0);
      return took.length > 0 && !took.includes(null) && took;
    });
    // A long press, which cuts power, is one of five seconds.
    if (presses.length !== 1 || presses[0] >= 4000) throw new Error(`presses of ${presses} ms`);
  });
  await check("and is believed by the light", async () => {
    await door.ask("wire", 2, 1);
    await main.getByText("Power on: done, the power light is on.").waitFor();
  });
  const text = randomBytes(3_000_000);
  const image = iso("TOOLS.BIN", text);
  await check("a CD's image is uploaded from the browser", async () => {
    const file = { name: "tools.iso", mimeType: "application/octet-stream", buffer: image };
    await page.locator('input[type="file"]').setInputFiles(file);
    await main
      .getByText(/tools\.iso: .*, done$/)
      .first()
      .waitFor();
  });
  await check("and inserted, mounted by the machine: its file is what was uploaded", async () => {
    await main.getByRole("combobox", { name: "In its drive" }).selectOption("tools.iso");
    await main.getByRole("button", { name: "Insert" }).click();
    const wanted = createHash("sha256").update(text).digest("hex");
    const found = await until("the CD in the machine", () => door.ask("mounted", "tools.bin"), 30_000);
    if (found !== wanted) throw new Error(`it reads ${found}, and ${wanted} was sent`);
  });
  await page.screenshot({ path: join(OUT, "device.png"), fullPage: true });
  await check("and ejected", async () => {
    await main.getByRole("button", { name: "Eject" }).click();
    await main.getByText("The drive is empty.").waitFor();
  });
  await page.close();
}

/** The cable is pulled out and put back: both of it, at once. */
async function round(number, page, door) {
  const [pattern, colour] = PLAIN[number % 2];
  await door.ask("unplug");
  await door.ask("control", "DV Timings Signal Mode", "No Signal");
  await until("the node has no picture", async () => {
    const status = await node("/api/streamer/snapshot");
    if (status === 503) return true;
    throw new Error(`its snapshot answers ${status}`);
  });
  await door.ask("control", "Test Pattern", pattern);
  await door.ask("control", "DV Timings Signal Mode", "Current DV");
  await shown(page, colour, 40_000);
  await typed(page, door, Object.keys(KEYS)[number]);
  const [port, state] = await door.ask("port");
  if (port === "" || state !== "configured") throw new Error(`the port ${port} is ${state}`);
  if (!(await door.ask("alive"))) throw new Error("the node is another process");
}

async function rounds(page, door) {
  for (let number = 1; number <= ROUNDS; number += 1) {
    const began = performance.now();
    await check(
      `round ${number}: picture and keys go with the cables and come back, in the same tab and process`,
      () => round(number, page, door),
    );
    console.error(`round ${number}: ${Math.round(performance.now() - began)} ms`);
  }
}

/**
 * From the moment before the test picture's colour is changed until the page shows the other one: with what asking takes, which is
 * measured as well. The clock is this machine's.
 */
async function glass(page, door) {
  const [delays, asked] = [[], []];
  await check("what changes on the screen is seen in the browser", async () => {
    await door.ask("control", "Test Pattern", "100% Black");
    await shown(page, [0, 0, 0], 20_000);
    for (let number = 0; number < CHANGES; number += 1) {
      const [pattern, colour] = PLAIN[number % 2];
      const seen = shown(page, colour, 20_000);
      // It is waited for below; should the asking fail first, that is what is told.
      seen.catch(() => undefined);
      // It is looked at already when it changes, and at no particular moment of the picture's beat.
      await pause(150 + Math.random() * 100);
      const before = Date.now();
      await door.ask("control", "Test Pattern", pattern);
      asked.push(Date.now() - before);
      delays.push((await seen) - before);
    }
  });
  if (delays.length > 0)
    measured(`glass to glass ${spread(delays)}; of which telling vivid to change took ${spread(asked)}`);
  return delays.length > 0;
}

async function use(page, door) {
  const frames = () => page.evaluate(() => window.oriel.stats().frames);
  const [before, begun] = [await door.ask("used"), await frames()];
  await pause(USE_MS);
  const [after, ended] = [await door.ask("used"), await frames()];
  const seconds = after[1] - before[1];
  measured(
    `the node at 1280x720, ${((ended - begun) / seconds).toFixed(1)} pictures a second of vivid's raw ones encoded here: ` +
      `${(((after[0] - before[0]) / seconds) * 100).toFixed(0)} % of a core, ${(after[2] / 1024).toFixed(1)} MiB (most ${(after[3] / 1024).toFixed(1)})`,
  );
}

async function main() {
  // The node's certificate is its own.
  process.env.NODE_TLS_REJECT_UNAUTHORIZED = "0";
  let browser;
  const found = await check("there is a browser to try it with", async () => {
    const { launch } = await import("../src/viewer/testing/browser.mjs").catch((error) => {
      throw new Error(`playwright-core is missing: run \`npm ci\` in web (${error.message})`);
    });
    browser = await launch();
  });
  if (!found) return;
  let house;
  let door;
  let end = async () => {
    end = async () => undefined;
    door?.close();
    await browser.close().catch(() => undefined);
    await house?.end();
  };
  process.on("SIGTERM", () => void end().finally(() => process.exit(143)));
  try {
    // While the machine within boots.
    const stands = await check("Oriel is served, and a person has signed in", async () => {
      house = new House(join(ROOT, "target/release/oriel"));
      await house.begin(join(OUT, "outside-serve.log"));
      await house.signIn(browser);
    });
    if (!stands) return;
    const open = await check("the machine within is there", async () => {
      door = await Door.open(DOOR_PORT, BOOT_MS_MAX);
    });
    if (!open) return;
    const entered = await check("the node is entered as a device", () =>
      house.device(NAME, `https://127.0.0.1:${NODE_PORT}`, "lab"),
    );
    if (!entered) return;
    const page = await picture(house, door);
    if (!page) return;
    await check("the certificate that the node showed first is kept", async () => {
      const kept = JSON.parse(await house.oriel(["machine", "identity", NAME, "--json"]));
      if (!kept.same || !kept.pinned) throw new Error(JSON.stringify(kept));
    });
    await devicePage(house, door);
    await page.bringToFront();
    await rounds(page, door);
    if (await glass(page, door)) await use(page, door);
  } finally {
    await end();
  }
}

await main();
