/** Real servers for tests in a browser: each is started here, on a port that is free, and stopped by its id. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";

export const PATIENCE_MS = 60_000;

const children: ChildProcess[] = [];

export function start(
  program: string,
  args: string[],
  environment: Record<string, string> = {},
): ChildProcess {
  const child = spawn(program, args, {
    env: { ...process.env, ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  child.stderr?.resume();
  children.push(child);
  return child;
}

export function stopAll(): void {
  for (const child of children.splice(0).reverse()) child.kill("SIGTERM");
}

export async function until<T>(what: string, look: () => T | Promise<T>): Promise<NonNullable<T>> {
  for (const end = performance.now() + PATIENCE_MS; performance.now() < end; ) {
    const found = await look();
    if (found) return found;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`${what} did not happen within ${PATIENCE_MS} ms`);
}

export const freePort = () =>
  new Promise<number>((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });

export const listens = (port: number) =>
  new Promise<boolean>((resolve) => {
    const socket = connect(port, "127.0.0.1", () => {
      socket.destroy();
      resolve(true);
    }).on("error", () => resolve(false));
  });

/** A TigerVNC server of 1280x800 in one colour, on a display that is free from `first` on. */
export async function xvnc(first: number): Promise<{ port: number; display: string }> {
  const number = await until("a free display", () =>
    Array.from({ length: 200 }, (_, at) => first + at).find(
      (at) => !existsSync(`/tmp/.X11-unix/X${at}`) && !existsSync(`/tmp/.X${at}-lock`),
    ),
  );
  const display = `:${number}`;
  const port = await freePort();
  const options = "-geometry 1280x800 -depth 24 -SecurityTypes None -localhost -AlwaysShared".split(" ");
  start("Xtigervnc", [display, ...options, "-rfbport", String(port)]);
  await until("Xtigervnc", () => listens(port));
  execFileSync("xsetroot", ["-solid", "#28507a"], { env: { ...process.env, DISPLAY: display } });
  return { port, display };
}

/** An OpenSSH server that lets in who has the key; its files begin in `files`. */
export async function sshd(home: string, files?: string): Promise<{ port: number; key: string }> {
  const key = join(home, "user");
  for (const name of ["host", "user"])
    execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", join(home, name)]);
  const port = await freePort();
  mkdirSync("/run/sshd", { recursive: true });
  const config = [
    `ListenAddress 127.0.0.1\nPort ${port}\nHostKey ${home}/host\nAuthorizedKeysFile ${home}/user.pub\nPidFile none`,
    `Subsystem sftp internal-sftp ${files ? `-d ${files}` : ""}`,
    "UsePAM no\nStrictModes no\nPermitRootLogin yes\nPasswordAuthentication no\n",
  ];
  writeFileSync(join(home, "sshd.conf"), config.join("\n"));
  start("/usr/sbin/sshd", ["-D", "-e", "-f", join(home, "sshd.conf")]);
  await until("sshd", () => listens(port));
  return { port, key };
}

/** The network between a browser and a server of this machine, which can be cut, and counts. */
export class Network {
  /** Bytes to the server, and from it. */
  up = 0;
  down = 0;
  port = 0;
  #away = false;
  readonly #sockets = new Set<Socket>();
  readonly #door = createServer((near) => {
    if (this.#away) return void near.destroy();
    const far = connect(this.server, "127.0.0.1");
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      this.#sockets.add(one);
      one.on("error", () => undefined);
      one.on("close", () => {
        this.#sockets.delete(one);
        other.destroy();
      });
      one.pipe(other);
    }
    near.on("data", (bytes) => {
      this.up += bytes.length;
    });
    far.on("data", (bytes) => {
      this.down += bytes.length;
    });
  });

  constructor(readonly server: number) {}

  async open(): Promise<void> {
    await new Promise<void>((done) => this.#door.listen(0, "127.0.0.1", done));
    this.port = (this.#door.address() as { port: number }).port;
  }

  /** Everything that is open breaks, and nothing gets through for so long. */
  async cut(ms: number): Promise<void> {
    this.#away = true;
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((done) => setTimeout(done, ms));
    this.#away = false;
  }

  close(): void {
    this.#away = true;
    for (const socket of this.#sockets) socket.destroy();
    this.#door.close();
  }
}
