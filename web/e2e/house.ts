/**
 * The real program with everything of its own: a data folder, a port, an image, a pool, people and a desktop. Whoever knows the
 * folder can stop the program and start it again; nothing of another Oriel on this machine is touched.
 */
import { execFile, spawn } from "node:child_process";
import {
  chmodSync,
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

export const PROGRAM =
  process.env.ORIEL_PROGRAM ?? fileURLToPath(new URL("../../target/release/oriel", import.meta.url));
/** libvirt's QEMU user must be able to enter it: nowhere below a home folder. */
const PLACE = process.env.ORIEL_E2E_PLACE ?? "/var/tmp";
const PREFIX = "oriel-e2e-";
const READY_MS_MAX = 60_000;
const STOP_MS_MAX = 20_000;
/** An image that nobody has built on this machine yet takes some minutes. */
const IMAGE_MS_MAX = 1_200_000;
const DESKTOP_MS_MAX = 1_200_000;
const EVERY_MS = 250;

export type DesktopFacts = {
  id: string;
  name: string;
  state: string;
  failure: string | null;
  facts: Record<string, unknown>;
};
export type Person = { name: string; password: string };
/** What tests need to know of a house that stands. */
export type Plan = { folder: string; port: number; admin: Person; guest: Person; desktop: string };

const run = promisify(execFile);
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

export async function until<T>(
  what: string,
  ms: number,
  look: () => Promise<T | undefined> | T | undefined,
): Promise<T> {
  const end = Date.now() + ms;
  for (;;) {
    const seen = await look();
    if (seen !== undefined) return seen;
    if (Date.now() > end) throw new Error(`${what}: not within ${Math.round(ms / 1000)} s`);
    await pause(EVERY_MS);
  }
}

export class House {
  private constructor(
    readonly folder: string,
    readonly port: number,
  ) {}

  static at({ folder, port }: Plan): House {
    return new House(folder, port);
  }

  /** Clears away houses whose builder was killed before it could. */
  static async sweep(say: (text: string) => void): Promise<void> {
    for (const name of readdirSync(PLACE).filter((one) => one.startsWith(PREFIX))) {
      const folder = `${PLACE}/${name}`;
      const builder = `${folder}/builder.pid`;
      if (!existsSync(builder) || alive(Number(readFileSync(builder, "utf8")))) continue;
      say(`clearing away ${folder}, which an earlier run left behind`);
      await new House(folder, await freePort()).clear();
    }
  }

  /** An empty house with its door open. One that is meant to stay has no builder that looks after it. */
  static async build(stays: boolean): Promise<House> {
    if (!existsSync(PROGRAM)) throw new Error(`there is no ${PROGRAM}: cargo build --release -p oriel`);
    const folder = mkdtempSync(`${PLACE}/${PREFIX}`);
    chmodSync(folder, 0o711);
    if (!stays) writeFileSync(`${folder}/builder.pid`, String(process.pid));
    const house = new House(folder, await freePort());
    await house.start();
    return house;
  }

  get address(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get log(): string {
    return `${this.folder}/log`;
  }

  get pid(): number {
    return Number(readFileSync(`${this.folder}/serve.pid`, "utf8"));
  }

  /** Starts the program and waits for its `ready:`. */
  async start(): Promise<void> {
    const out = openSync(this.log, "a");
    const before = count(this.log, "ready: ");
    const child = spawn(PROGRAM, ["serve", "--data", this.folder, "--listen", `127.0.0.1:${this.port}`], {
      detached: true,
      stdio: ["ignore", out, out],
      env: { ...process.env, NO_COLOR: "1" },
    });
    closeSync(out);
    child.unref();
    writeFileSync(`${this.folder}/serve.pid`, String(child.pid));
    await until("oriel serve", READY_MS_MAX, () => {
      if (!alive(this.pid))
        throw new Error(`oriel serve ended:\n${readFileSync(this.log, "utf8").slice(-3000)}`);
      return count(this.log, "ready: ") > before || undefined;
    });
  }

  /** As an administrator would: SIGTERM, then waiting. */
  async stop(): Promise<void> {
    const { pid } = this;
    if (!alive(pid)) return;
    process.kill(pid, "SIGTERM");
    await until("the end of oriel serve", STOP_MS_MAX, () => !alive(pid) || undefined);
  }

  /** The program as a client of itself, through its socket. */
  async oriel(...args: string[]): Promise<string> {
    const { stdout } = await run(PROGRAM, ["--data", this.folder, ...args], {
      timeout: IMAGE_MS_MAX,
      maxBuffer: 1 << 24,
    });
    return stdout;
  }

  async desktops(): Promise<DesktopFacts[]> {
    return JSON.parse(await this.oriel("desktop", "list", "--json")).desktops;
  }

  /** A person with a password of their own. */
  async person(name: string, role: "admin" | "user", password: string): Promise<Person> {
    const child = execFile(PROGRAM, [
      "--data",
      this.folder,
      "user",
      "create",
      name,
      "--role",
      role,
      "--password-stdin",
    ]);
    child.stdin?.end(`${password}\n`);
    const code = await new Promise((resolve) => child.on("close", resolve));
    if (code !== 0) throw new Error(`oriel user create ${name}: exit status ${code}`);
    return { name, password };
  }

  /** Image, pool, people, and one desktop that is ready. Says how long each took. */
  async furnish(say: (text: string) => void): Promise<Plan> {
    const timed = async <T>(what: string, work: () => Promise<T>): Promise<T> => {
      const start = Date.now();
      const made = await work();
      say(`${what}: ${((Date.now() - start) / 1000).toFixed(1)} s`);
      return made;
    };
    await timed("image debian-desktop", () => this.oriel("image", "build", "debian-desktop"));
    await this.oriel(
      "pool",
      "create",
      "studio",
      "--image",
      "debian-desktop",
      "--keyboard",
      "de",
      "--memory",
      "2048",
    );
    const admin = await this.person("lena", "admin", "ein langes Passwort");
    const guest = await this.person("otto", "user", "ein anderes Passwort");
    await this.oriel("pool", "allow", "studio", "lena");
    await timed("desktop studio-1", async () => {
      await this.oriel("desktop", "create", "studio", "--owner", "lena", "--name", "studio-1");
      await this.ready("studio-1");
    });
    return { folder: this.folder, port: this.port, admin, guest, desktop: "studio-1" };
  }

  async ready(name: string): Promise<DesktopFacts> {
    return until(`${name} ready`, DESKTOP_MS_MAX, async () => {
      const desktop = (await this.desktops()).find((one) => one.name === name);
      if (desktop?.state === "failed") throw new Error(`${name} failed: ${desktop.failure}`);
      return desktop && ["ready", "in_use"].includes(desktop.state) ? desktop : undefined;
    });
  }

  /** Process of the desktop's QEMU. */
  async machine(id: string): Promise<number> {
    const { stdout } = await run("pgrep", ["-f", "--", `-uuid ${id}`]);
    return Number(stdout.trim().split("\n")[0]);
  }

  /** Deletes every desktop through the program, stops it, removes the folder. What is left behind is an error. */
  async clear(): Promise<void> {
    if (!existsSync(`${this.folder}/serve.pid`) || !alive(this.pid)) await this.start();
    for (const desktop of await this.desktops()) await this.oriel("desktop", "delete", desktop.id);
    await until(
      "desktops gone",
      DESKTOP_MS_MAX,
      async () => (await this.desktops()).length === 0 || undefined,
    );
    await this.stop();
    const { stdout } = await run("virsh", ["-q", "-c", "qemu:///system", "list", "--all", "--uuid"]);
    for (const id of stdout.split("\n").filter(Boolean)) {
      const { stdout: xml } = await run("virsh", ["-q", "-c", "qemu:///system", "dumpxml", id]).catch(() => ({
        stdout: "",
      }));
      if (xml.includes(this.folder)) throw new Error(`a machine was left behind: ${id}`);
    }
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function alive(pid: number): boolean {
  try {
    // A process that has ended and that nobody has waited for yet counts as ended.
    return !/^State:\s*[ZX]/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

function count(file: string, what: string): number {
  return existsSync(file) ? readFileSync(file, "utf8").split(what).length - 1 : 0;
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.on("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const address = probe.address();
      probe.close(() =>
        address && typeof address === "object" ? resolve(address.port) : reject(new Error("no port")),
      );
    });
  });
}
