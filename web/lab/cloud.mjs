// A desktop on a real OpenStack, as its person sees it: Oriel's program before `lab/openstack/cloud`, and Chromium before that. What the
// browser shows is held against what QEMU itself shows of the guest that Nova made.
//
//   eval "$(lab/openstack/cloud env)"; node web/lab/cloud.mjs        `./test openstack` runs it
import { execFile } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { check, measured, tally, until } from "./cases.mjs";
import { House } from "./house.mjs";
import { ppm } from "./ppm.mjs";

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const OUT = join(ROOT, "target/test/lab/cloud");
const CLOUDS = process.env.OS_CLIENT_CONFIG_FILE;
const POOL = "sky";
/** Nova under emulation on a busy machine. */
const READY_MS = 180_000;
/** Each so many points of the picture are compared. */
const STEP = 7;
const SLACK = 12;

/** The boot sector that says on its screen that it runs, as `lab/openstack/guest.py` makes it. */
async function guest(folder) {
  const file = join(folder, "guest.raw");
  const make = "import sys, guest; sys.stdout.buffer.write(guest.disk())";
  const made = await run("python3", ["-c", make], {
    cwd: join(ROOT, "lab/openstack"),
    encoding: "buffer",
    maxBuffer: 4 << 20,
    env: { ...process.env, PYTHONDONTWRITEBYTECODE: "1" },
  });
  writeFileSync(file, made.stdout);
  return file;
}

/** What libvirt runs of this lab: machines by their name. */
async function machines(prefix) {
  const { stdout } = await run("virsh", ["-q", "-c", "qemu:///system", "list", "--name"]);
  return stdout.split("\n").filter((name) => name.startsWith(prefix));
}

/** QEMU's own picture of a machine. */
async function own(machine) {
  const file = join(OUT, "own.png");
  await run("virsh", ["-q", "-c", "qemu:///system", "screenshot", machine, file]);
  const made = await run("convert", [file, "-depth", "8", "ppm:-"], {
    encoding: "buffer",
    maxBuffer: 16 << 20,
  });
  return ppm(made.stdout);
}

/** How many points of the page's picture are not QEMU's, and how many are not black. */
async function compared(page, { width, height, at }) {
  const size = await page.evaluate(() => window.oriel.stats());
  if (size.width !== width || size.height !== height)
    throw new Error(`it is ${size.width} x ${size.height}, and the guest's ${width} x ${height}`);
  const points = [];
  for (let y = 0; y < height; y += STEP) for (let x = 0; x < width; x += STEP) points.push([x, y]);
  const seen = await page.evaluate(
    (all) => Promise.all(all.map(([x, y]) => window.oriel.pixel(x, y))),
    points,
  );
  let [other, bright] = [0, 0];
  for (const [index, [x, y]] of points.entries()) {
    const wanted = at(x, y);
    if (seen[index].some((value, part) => Math.abs(value - wanted[part]) > SLACK)) other += 1;
    if (wanted.some((value) => value > 100)) bright += 1;
  }
  return { other, bright, of: points.length };
}

async function shows(page, prefix) {
  await until(
    "the guest's picture",
    async () => {
      const [machine] = await machines(prefix);
      const seen = await compared(page, await own(machine));
      if (seen.other === 0 && seen.bright > 20) return true;
      throw new Error(`of ${seen.of} points ${seen.other} are others, and ${seen.bright} bright`);
    },
    30_000,
  );
}

async function main() {
  if (!CLOUDS) throw new Error('no cloud is named: eval "$(lab/openstack/cloud env)"');
  rmSync(OUT, { recursive: true, force: true });
  mkdirSync(OUT, { recursive: true });
  const base = /^base=(\d+)$/m.exec(readFileSync(join(process.env.ORIEL_LAB_CLOUD, "settings"), "utf8"))[1];
  const prefix = `oriel-lab-${base}-`;
  const { launch } = await import("../src/viewer/testing/browser.mjs");
  const browser = await launch();
  const house = new House(join(ROOT, "target/release/oriel"));
  let ended = false;
  const end = async () => {
    if (ended) return;
    ended = true;
    await browser.close().catch(() => undefined);
    await house.end();
  };
  process.on("SIGTERM", () => void end().finally(() => process.exit(143)));
  const desktops = async () => JSON.parse(await house.oriel(["desktop", "list", "--json"])).desktops ?? [];
  const desktop = async () => (await desktops()).find((one) => one.pool?.name === POOL || one.pool === POOL);
  const ready = (other) =>
    until(
      "a desktop that is ready",
      async () => {
        const now = await desktop();
        if (now?.state === "ready" && !now.user && now.changed_at !== other) return now;
        throw new Error(now ? `it is ${now.state}, of ${now.user ?? "nobody"}` : "there is none");
      },
      READY_MS,
    );
  try {
    await house.begin(join(OUT, "serve.log"));
    await house.signIn(browser);
    await check("the cloud is entered, and its doctor finds it fit", async () => {
      await house.oriel(["cloud", "add", "oak", "--clouds-yaml", CLOUDS, "--cloud", "admin"]);
      await house.oriel(["cloud", "test", "oak"]);
    });
    await check("an image goes there", async () => {
      await house.oriel(["image", "import", await guest(house.folder), "--name", "tiny", "--os", "other"]);
      await house.oriel(["cloud", "image", "oak", "tiny"]);
    });
    await check("a pool stands there", async () => {
      await house.oriel([
        ...["pool", "create", POOL, "--kind", "floating", "--image", "tiny", "--cloud", "oak"],
        ...["--flavor", "oriel-lab-tiny", "--network", "none", "--desktops-max", "1"],
        ...["--spares", "min=1,running=1,return=0"],
      ]);
      await house.oriel(["pool", "allow", POOL, "root"]);
    });
    const began = performance.now();
    let first;
    await check("Nova boots a desktop for it", async () => {
      first = await ready(null);
    });
    measured(`from the pool to a desktop that is ready: ${Math.round(performance.now() - began)} ms`);
    const clouds = await house.page("/clouds");
    await check("the page of the cloud shows what its doctor finds", async () => {
      await clouds.getByRole("main").getByText("oak", { exact: true }).first().waitFor();
      await clouds.getByRole("button", { name: /oak/ }).click();
      await clouds.getByRole("menuitem", { name: "Examine…" }).click();
      await clouds
        .getByRole("dialog")
        .getByText(/[Qq]uota/)
        .first()
        .waitFor();
    });
    await clouds.screenshot({ path: join(OUT, "clouds.png"), fullPage: true });
    await clouds.close();
    const mine = await house.page("/");
    await check("its person gets it on My desktops", async () => {
      await mine.getByRole("button", { name: `Get a desktop of ${POOL}` }).click();
      await mine.getByRole("link", { name: /^Console / }).waitFor();
    });
    await mine.screenshot({ path: join(OUT, "mine.png"), fullPage: true });
    await mine.close();
    const opened = performance.now();
    let screen;
    const open = await check("its console opens in Chromium", async () => {
      screen = await house.screen(first.name);
    });
    measured(`from the click to a picture: ${Math.round(performance.now() - opened)} ms`);
    if (open) {
      await check("and is the guest's, point by point", () => shows(screen, prefix));
      await screen.screenshot({ path: join(OUT, "console.png") });
      const server = (await machines(prefix))[0];
      const inside = await desktop();
      await screen.close();
      await check("when its person has left it is made anew", () => ready(inside.changed_at));
      measured(
        `a refresh ${(await machines(prefix))[0] === server ? "rebuilt its server" : "made another server"}`,
      );
      await check("and shows its picture to who comes next", async () => {
        await house.oriel(["desktop", "take", POOL, "--user", "root"]);
        screen = await house.screen((await desktop()).name);
        await shows(screen, prefix);
        await screen.close();
      });
    }
    await check("it is deleted, and Nova and libvirt have nothing left of it", async () => {
      await house.oriel(["pool", "set", POOL, "--spares", "min=0,running=0"]);
      for (const one of await desktops()) await house.oriel(["desktop", "delete", one.name]);
      await until("none is left", async () => (await desktops()).length === 0, READY_MS);
      await until("no machine", async () => (await machines(prefix)).length === 0);
    });
  } finally {
    await end();
  }
}

try {
  await main();
} catch (error) {
  await check("the scene reached its end", () => Promise.reject(error));
}
process.exitCode = tally("cloud") ? 0 : 1;
