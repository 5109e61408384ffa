/** The real program of this machine with a folder of its own, and a person with a browser in it. */
import { execFile, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { PATIENCE_MS, until } from "./cases.mjs";

const run = promisify(execFile);
const ADMIN = { name: "root", password: "seven green lamps in a row" };

export class House {
  folder;
  url = "";
  #program;
  #serve;
  context;

  constructor(program) {
    this.#program = program;
    if (!existsSync(program)) throw new Error(`there is no ${program}: cargo build --release -p oriel`);
    this.folder = mkdtempSync(join(tmpdir(), "oriel-lab-"));
  }

  get #environment() {
    const own = Object.entries(process.env).filter(([name]) => !/^(ORIEL|XDG)_/.test(name));
    return {
      ...Object.fromEntries(own),
      ORIEL_DATA: join(this.folder, "data"),
      ORIEL_CACHE: join(this.folder, "cache"),
      ORIEL_LIBVIRT_URI: "none",
      ORIEL_ACCELERATOR: "tcg",
      ORIEL_LISTEN: "127.0.0.1:0",
      ORIEL_EXTERNAL_ALLOW: "127.0.0.0/8",
      NO_COLOR: "1",
    };
  }

  get #ended() {
    return this.#serve.exitCode !== null || this.#serve.signalCode !== null;
  }

  /** The program's own client, with something on its standard input. */
  async oriel(args, input = "") {
    const asked = run(this.#program, args, { env: this.#environment, timeout: PATIENCE_MS });
    asked.child.stdin.end(input);
    return (await asked).stdout;
  }

  /** Its program, its people and a pool; `log` is where it writes. */
  async begin(log) {
    mkdirSync(join(this.folder, "data"));
    const out = openSync(log, "a");
    this.#serve = spawn(this.#program, ["serve"], { env: this.#environment, stdio: ["ignore", out, out] });
    const ready = await until("oriel serve", () => {
      if (this.#ended) throw new Error(readFileSync(log, "utf8").slice(-2000));
      return /^ready: (\S+?)\/?$/m.exec(readFileSync(log, "utf8"))?.[1];
    });
    // A browser decodes pictures only in a secure context.
    this.url = ready.replace("127.0.0.1", "localhost");
    await this.oriel(["user", "create", ADMIN.name, "--role", "admin", "--password-stdin"], ADMIN.password);
    await this.oriel(["pool", "create", "rack", "--kind", "external"]);
    await this.oriel(["pool", "allow", "rack", ADMIN.name]);
  }

  async device(name, address, password) {
    const file = join(this.folder, "password");
    writeFileSync(file, `${password}\n`, { mode: 0o600 });
    return this.oriel([
      ...["device", "add", address, "--pool", "rack", "--name", name],
      ...["--password-file", file],
    ]);
  }

  async signIn(browser) {
    this.context = await browser.newContext({ viewport: { width: 1280, height: 800 }, locale: "en-GB" });
    this.context.setDefaultTimeout(PATIENCE_MS);
    const page = await this.context.newPage();
    await page.goto(this.url);
    await page.getByLabel("Name").fill(ADMIN.name);
    await page.getByLabel("Password").fill(ADMIN.password);
    await page.getByRole("button", { name: "Sign in", exact: true }).click();
    await page.getByRole("heading", { name: "My desktops" }).waitFor();
    await page.close();
  }

  async page(path) {
    const page = await this.context.newPage();
    await page.goto(this.url + path);
    return page;
  }

  /** A machine's screen in a tab, as soon as it shows something. */
  async screen(name) {
    const page = await this.page("/");
    const id = await page.evaluate(async (wanted) => {
      const answer = await fetch("/api/v1/desktops");
      return (await answer.json()).desktops.find((one) => one.name === wanted)?.id;
    }, name);
    await until("a picture", async () => {
      await page.goto(`${this.url}/viewer/?desktop=${id}&kind=vnc`);
      await page.waitForFunction(() => ["live", "ended"].includes(window.oriel?.phase));
      // A board under emulation on a busy machine may not answer in time: then once more.
      if ((await page.evaluate(() => window.oriel.phase)) === "live") return true;
      throw new Error(`the screen ended: ${await page.locator("body").innerText()}`);
    });
    return page;
  }

  async end() {
    if (this.#serve && !this.#ended) {
      this.#serve.kill("SIGTERM");
      await until("the end of oriel serve", () => this.#ended, 20_000).catch((error) => {
        console.error(String(error));
        this.#serve.kill("SIGKILL");
      });
    }
    rmSync(this.folder, { recursive: true, force: true });
  }
}
