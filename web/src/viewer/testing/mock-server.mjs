/**
 * A server that speaks the viewer protocol and the few API calls the viewer makes, for tests and for working on the
 * page without machines: `node src/viewer/testing/mock-server.mjs` after `npm run build`, then open the printed address.
 * It keeps every record it gets, so that a test can look at what the page sent.
 *
 * The records are written here byte by byte on purpose, not with the page's own wire.ts.
 */
import { createReadStream, existsSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { connect } from "node:net";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { WebSocketServer } from "ws";
import { H264, JPEG, PNG, WEBP } from "./pictures.mjs";

const TYPES = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
};
export const POLICY = "default-src 'self'; img-src 'self' blob:";
const CONNECTION = Buffer.from("0192f3a45b6c7d8e9fa0b1c2d3e4f506", "hex");
const FRAMES_IN_FLIGHT_MAX = 3;

// ---- Records ----

export function record(type, ...parts) {
  const payload = Buffer.concat(parts.map((part) => Buffer.from(part)));
  const head = Buffer.alloc(5);
  head[0] = type;
  head.writeUInt32LE(payload.length, 1);
  return Buffer.concat([head, payload]);
}

export function u16(...values) {
  const out = Buffer.alloc(values.length * 2);
  values.forEach((value, index) => {
    out.writeUInt16LE(value, index * 2);
  });
  return out;
}

export function u32(value) {
  const out = Buffer.alloc(4);
  out.writeUInt32LE(value >>> 0);
  return out;
}

export function u64(value) {
  const out = Buffer.alloc(8);
  out.writeBigUInt64LE(BigInt(value));
  return out;
}

export const hello = (kind, title, received = 0) =>
  record(0x01, [1, kind], CONNECTION, u64(received), Buffer.from(title));
export const resize = (width, height) => record(0x02, u16(width, height));
export const tile = (x, y, w, h, codec, bytes) => record(0x10, u16(x, y, w, h), [codec], bytes);
export const copy = (fromX, fromY, x, y, w, h) => record(0x11, u16(fromX, fromY, x, y, w, h));
export const fill = (x, y, w, h, r, g, b) => record(0x12, u16(x, y, w, h), [r, g, b]);
export const cursor = (hotX, hotY, w, h, rgba) => record(0x13, u16(hotX, hotY, w, h), rgba);
export const video = (x, y, w, h, key, bytes) => record(0x18, u16(x, y, w, h), [0, key ? 1 : 0], bytes);
/** `regions`: lists of x, y, w, h. `codec`: which view of a picture in 4:4:4. */
export const videoPart = (x, y, w, h, key, regions, bytes, codec = 0) =>
  record(
    0x18,
    u16(x, y, w, h),
    [codec, (key ? 1 : 0) | 2],
    u16(regions.length),
    ...regions.map((region) => u16(...region)),
    bytes,
  );
export const clipboard = (text) => record(0x20, [0], Buffer.from(text));
export const frameEnd = (sequence) => record(0x30, u32(sequence));
export const status = (code, text) => record(0x32, [code], Buffer.from(text));
export const bye = (code, text) => record(0x3f, [code], Buffer.from(text));
export const terminalData = (bytes) => record(0x40, bytes);
export const terminalStart = (offset) => record(0x41, u64(offset));

/** What a viewer sent, by name. */
function read(message) {
  const out = [];
  let at = 0;
  while (at + 5 <= message.length) {
    const type = message[at];
    const length = message.readUInt32LE(at + 1);
    const body = message.subarray(at + 5, at + 5 + length);
    at += 5 + length;
    const names = { 129: "hello", 130: "key", 131: "pointer", 132: "wheel", 133: "touch", 134: "resize" };
    Object.assign(names, { 135: "clipboard", 136: "ack", 137: "ping", 138: "release", 139: "text" });
    Object.assign(names, { 140: "abilities", 141: "video_trouble" });
    Object.assign(names, {
      144: "terminal_input",
      145: "terminal_resize",
      146: "terminal_ack",
      142: "microphone",
      143: "contacts",
      152: "consent",
      208: "listen",
    });
    const one = {
      type: names[type] ?? `0x${type.toString(16)}`,
      hex: body.toString("hex"),
      body,
      at: performance.now(),
    };
    out.push(one);
  }
  return out;
}

// ---- Desktops ----

const STEPS = ["placing", "cloning", "booting", "waiting_for_rdp"];

/** A gradient with a moving bar, as raw pixels. */
function moving(width, height, step) {
  const rgb = Buffer.alloc(width * height * 3);
  for (let y = 0, at = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const bar = (x + step * 4) % width < 12 ? 255 : 0;
      rgb[at++] = bar || (x * 255) / width;
      rgb[at++] = bar || (y * 255) / height;
      rgb[at++] = bar || 120;
    }
  }
  return rgb;
}

/** An arrow, white with a dark edge. */
export function arrow(side = 24) {
  const rgba = Buffer.alloc(side * side * 4);
  for (let y = 0; y < side; y += 1) {
    for (let x = 0; x <= y && x < side; x += 1) {
      if (x > side - y) continue;
      const edge = x === 0 || x === y || x === side - y;
      rgba.set(edge ? [20, 20, 20, 255] : [255, 255, 255, 255], (y * side + x) * 4);
    }
  }
  return rgba;
}

/** Hands a WebSocket to a gateway, as a reverse proxy does; each is a viewer of its own there. */
function relay(request, socket, head, port) {
  const gateway = connect(port, "127.0.0.1", () => {
    const headers = [];
    for (let at = 0; at < request.rawHeaders.length; at += 2) {
      headers.push(`${request.rawHeaders[at]}: ${request.rawHeaders[at + 1]}`);
    }
    gateway.write(`GET /0/0 HTTP/1.1\r\n${headers.join("\r\n")}\r\n\r\n`);
    gateway.write(head);
    socket.pipe(gateway).pipe(socket);
  });
  for (const [one, other] of [
    [socket, gateway],
    [gateway, socket],
  ]) {
    one.on("error", () => other.destroy());
    one.on("close", () => other.destroy());
  }
}

export class MockServer {
  /** Everything the viewers sent, oldest first. */
  records = [];
  /** Connect requests: `{desktop, kind, resume}`. */
  connects = [];
  sockets = new Set();
  /** Set by tests. */
  signedIn = true;
  startSteps = 0;
  failure = null;
  refuseSockets = false;
  policy = POLICY;
  animate = false;
  scene = "test card";
  /** A real gateway's port on this machine that WebSockets are handed to, instead of being answered here. */
  relay = 0;
  /** Terminal bytes sent and typed, from the start of the stream. */
  terminalSent = Buffer.alloc(0);
  terminalTyped = Buffer.alloc(0);
  #polls = 0;
  #sequence = 0;
  #size = [0, 0];

  constructor(dist) {
    this.dist = dist;
    this.http = createServer((request, response) => this.#answer(request, response));
    this.ws = new WebSocketServer({ noServer: true, perMessageDeflate: false });
    this.http.on("upgrade", (request, socket, head) => {
      if (this.refuseSockets) {
        socket.destroy();
        return;
      }
      if (this.relay) {
        relay(request, socket, head, this.relay);
        return;
      }
      this.ws.handleUpgrade(request, socket, head, (viewer) => this.#viewer(viewer, request.url));
    });
  }

  async listen(port = 0) {
    await new Promise((resolve) => this.http.listen(port, "127.0.0.1", resolve));
    this.address = `http://127.0.0.1:${this.http.address().port}`;
    return this.address;
  }

  async close() {
    for (const viewer of this.sockets) viewer.terminate();
    this.http.closeAllConnections();
    await new Promise((resolve) => this.http.close(resolve));
  }

  of(type) {
    return this.records.filter((one) => one.type === type);
  }

  send(...records) {
    const message = Buffer.concat(records);
    for (const viewer of this.sockets) viewer.send(message);
  }

  /** Sends records as one frame and returns its number. */
  frame(...records) {
    this.#sequence += 1;
    this.send(...records, frameEnd(this.#sequence));
    return this.#sequence;
  }

  /** Cuts every WebSocket as a broken network does. */
  cut() {
    for (const viewer of this.sockets) viewer.terminate();
  }

  shell(text) {
    const bytes = Buffer.from(text);
    this.terminalSent = Buffer.concat([this.terminalSent, bytes]);
    this.send(terminalData(bytes));
  }

  #answer(request, response) {
    const url = new URL(request.url, "http://mock");
    const json = (code, body) => {
      response.writeHead(code, {
        "content-type": code < 400 ? "application/json" : "application/problem+json",
      });
      response.end(JSON.stringify(body));
    };
    const problem = (code, word, title, detail, next = "") =>
      json(code, { type: "about:blank", title, status: code, code: word, detail, next_step: next });
    if (!url.pathname.startsWith("/api/")) {
      this.#file(url.pathname, response);
      return;
    }
    if (!this.signedIn) return problem(401, "not_signed_in", "Not signed in", "you are not signed in");
    const path = url.pathname.replace("/api/v1", "");
    const [, noun, id, verb] = path.split("/");
    if (path === "/me")
      return json(200, { id: "u1", name: "ada", role: "user", must_change_password: false, csrf: "c" });
    if (noun !== "desktops" || id === "none") {
      return problem(404, "not_found", "Not found", "there is no desktop of yours with this id");
    }
    const starting = this.#polls < this.startSteps;
    if (verb === "connect") {
      if (request.headers["x-oriel-csrf"] !== "c")
        return problem(403, "csrf", "Refused", "the CSRF token is missing");
      let body = "";
      request.on("data", (piece) => {
        body += piece;
      });
      request.on("end", () => {
        const asked = JSON.parse(body);
        this.connects.push({ desktop: id, ...asked });
        if (starting || this.failure)
          return problem(409, "desktop_not_ready", "Not ready", "the desktop is starting");
        json(200, {
          ticket: "t",
          kind: asked.kind,
          path: `/api/v1/connect/${asked.kind}`,
          expires_in_seconds: 30,
        });
      });
      return;
    }
    if (starting) this.#polls += 1;
    const now = this.#polls;
    json(200, {
      id,
      name: "Studio 1",
      state: this.failure ? "failed" : starting ? "starting" : "ready",
      failure: this.failure,
      step: starting ? STEPS[Math.min(3, now)] : null,
      start_steps: STEPS.map((step, index) => ({
        step,
        state: index < now ? "done" : index === now ? "now" : "todo",
      })),
    });
  }

  #file(path, response) {
    const clean = normalize(decodeURIComponent(path)).replace(/^(\.\.[/\\])+/, "");
    let file = join(this.dist, clean);
    if (!file.startsWith(this.dist) || !existsSync(file)) file = join(this.dist, "index.html");
    if (statSync(file).isDirectory()) file = join(file, "index.html");
    response.writeHead(200, {
      "content-type": TYPES[extname(file)] ?? "application/octet-stream",
      "content-security-policy": this.policy,
    });
    createReadStream(file).pipe(response);
  }

  #viewer(viewer, url) {
    this.sockets.add(viewer);
    viewer.on("close", () => this.sockets.delete(viewer));
    viewer.on("error", () => undefined);
    const isTerminal = url.endsWith("/ssh");
    viewer.on("message", (message) => {
      for (const one of read(message)) {
        this.records.push(one);
        if (one.type === "ping") viewer.send(record(0x31, one.body));
        else if (one.type === "hello" && isTerminal) this.#openTerminal(viewer, one);
        else if (one.type === "hello") this.#openScreen(viewer, one);
        else if (one.type === "resize" && this.scene === "test card") {
          this.#size = [one.body.readUInt16LE(0), one.body.readUInt16LE(2)];
          this.frame(...this.testCard());
        } else if (one.type === "terminal_input") {
          this.terminalTyped = Buffer.concat([this.terminalTyped, one.body]);
          this.shell(one.body.toString().replaceAll("\r", "\r\n"));
        } else if (one.type === "ack" && this.animate) this.#step();
      }
    });
  }

  #openScreen(viewer, one) {
    this.#size = [one.body.readUInt16LE(1), one.body.readUInt16LE(3)];
    viewer.send(Buffer.concat([hello(0, "Studio 1"), status(0, "reaching the machine")]));
    if (this.scene === "silent") return;
    if (this.scene === "fixed") this.#size = [800, 600];
    viewer.send(Buffer.concat([status(1, "signing in"), status(2, "connected")]));
    viewer.send(cursor(1, 1, 24, 24, arrow()));
    if (this.scene === "black") {
      this.frame(resize(...this.#size), fill(0, 0, ...this.#size, 0, 0, 0));
      return;
    }
    this.frame(...this.testCard());
    if (this.animate) for (let count = 1; count < FRAMES_IN_FLIGHT_MAX; count += 1) this.#step();
  }

  #step() {
    this.frame(tile(200, 200, 320, 180, 0, moving(320, 180, this.#sequence)));
  }

  #openTerminal(viewer, one) {
    const shown = Number(one.body.readBigUInt64LE(7));
    const start = shown <= this.terminalSent.length ? shown : 0;
    viewer.send(
      Buffer.concat([
        hello(1, "Studio 1", this.terminalTyped.length),
        status(2, "connected"),
        terminalStart(start),
      ]),
    );
    if (this.terminalSent.length === 0) this.shell("\x1b[1;32mada@studio-1\x1b[0m:\x1b[1;34m~\x1b[0m$ ");
    else viewer.send(terminalData(this.terminalSent.subarray(start)));
  }

  /** A picture with every kind of record, each at a known place. */
  testCard() {
    const [width, height] = this.#size;
    return [
      resize(width, height),
      fill(0, 0, width, height, 52, 73, 94),
      fill(40, 60, Math.max(60, width - 80), Math.max(60, Math.floor(height / 2)), 236, 240, 241),
      tile(0, 0, 2, 1, 0, [255, 0, 0, 255, 128, 0]),
      tile(64, 80, 16, 16, 1, PNG),
      tile(80, 80, 16, 16, 2, JPEG),
      tile(96, 80, 16, 16, 3, WEBP),
      copy(64, 80, 64, 112, 48, 16),
      copy(64, 80, 72, 80, 48, 16),
      tile(200, 200, 320, 180, 0, moving(320, 180, 0)),
    ];
  }
}

export { H264, JPEG, PNG, WEBP };

const called = process.argv[1] ? normalize(process.argv[1]) : "";
if (called === fileURLToPath(import.meta.url)) {
  const server = new MockServer(fileURLToPath(new URL("../../../dist", import.meta.url)));
  server.animate = true;
  const address = await server.listen(Number(process.env.PORT ?? 0));
  for (const kind of ["rdp", "vnc", "ssh"]) console.log(`${address}/viewer/?desktop=d1&kind=${kind}`);
}
