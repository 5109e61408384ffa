/**
 * One person looking at one desktop, from the click to the end: tickets, the WebSocket, waiting for a machine that
 * starts, and coming back after the network was cut.
 *
 * ```text
 *  start ─▶ asking ─409─▶ starting (polls the desktop) ─▶ asking
 *             │ticket
 *             ▼
 *           opening ─hello, status─▶ opening ─first picture / connected─▶ live
 *             │ closed                                                     │ closed without bye, silence, bye 8
 *             ▼                                                            ▼
 *           (first time) failed                                          cut ─back-off─▶ asking with resume ─▶ live
 *  any ─bye─▶ ended      any ─401─▶ signed out      cut for CUT_MS_MAX ─▶ failed
 * ```
 */
import { Api, ApiError, type ConnectionKind, type Desktop, type Ticket, type Way } from "./api";
import {
  Bye,
  decodeServer,
  encodeViewer,
  PROTOCOL_VERSION,
  SCREEN_TYPES,
  type ServerRecord,
  type StatusCode,
  split,
  type ViewerRecord,
  WireError,
} from "./wire";

export type Ending = {
  /** What happened, in a few words. */
  title: string;
  /** The server's own words: what happened, why, what to do next. */
  text: string;
  action: "retry" | "take back" | "sign in" | "unlock" | "none";
};

export type Phase =
  | { name: "asking" }
  | { name: "starting"; desktop: Desktop | null }
  | { name: "opening"; status: StatusCode | null; text: string }
  | { name: "live" }
  | { name: "cut"; since: number; next: number; attempt: number }
  | { name: "ended"; ending: Ending };

export type Hello = { width: number; height: number; scale: number; received: bigint; layout: string };
/** How long the browser may take to say what it can decode, milliseconds. */
const ABILITIES_MS_MAX = 1500;

export type SessionEvents = {
  phase(phase: Phase): void;
  /** What to say in hello, asked for at each connection. */
  hello(): Hello;
  /** What else the server must know before it turns to the machine. */
  early(): ViewerRecord[];
  /** What this browser can do, as bits of the abilities record. */
  abilities(): Promise<number>;
  /** A record for the page; those that change pixels go to {@link screen} (a frame's end to both). */
  record(record: ServerRecord): void;
  /** A message with at least one record that changes pixels. The buffer may be kept. */
  screen(message: ArrayBuffer): void;
  /** The desktop's name became known after the connection began. */
  named(): void;
  /** A new WebSocket is open: earlier frames are void. */
  opened(): void;
};

const FRAME_END = 0x30;
const RESIZE = 0x02;
/** Silence after which the WebSocket is taken for dead: two pings without an answer. */
const SILENCE_MS = 12_000;
const BACKOFF_MS: readonly number[] = [500, 1000, 2000, 4000, 8000, 10_000];
/** How long a cut connection is tried again before the page asks the person. */
const CUT_MS_MAX = 10 * 60_000;
const POLL_MS = 1000;
/** A WebSocket that takes longer than this to open is tried again. */
const OPEN_MS_MAX = 15_000;

/** Milliseconds before attempt `n` (from 0), with a tenth of jitter so that many viewers don't come back at once. */
export function backoff(attempt: number, random = Math.random()): number {
  const base = BACKOFF_MS[Math.min(attempt, BACKOFF_MS.length - 1)] ?? 10_000;
  return base * (0.95 + random * 0.1);
}

export class Session {
  phase: Phase = { name: "asking" };
  /** The connection's id, to resume it. */
  connection = "";
  title = "";
  /** Round trip of the last ping, milliseconds; `null` before the first. */
  rtt: number | null = null;
  bytesIn = 0;
  bytesOut = 0;
  /** How often the connection was taken up again. */
  resumed = 0;
  readonly api = new Api();
  /** Whose connection it is, where it is somebody else's. */
  owner = "";
  #socket: WebSocket | null = null;
  /** The hello of this WebSocket was sent. */
  #greeted = false;
  #heard = 0;
  #pings = new Map<number, number>();
  #token = 0;
  /** What each tick of the clock does while a WebSocket is open. */
  #pulse: (() => void) | null = null;
  #wake: (() => void) | null = null;
  /** Each start and stop makes a new era: what still runs for an old one gives up. */
  #era = 0;

  constructor(
    readonly desktop: string,
    readonly kind: ConnectionKind,
    readonly way: Way,
    private readonly events: SessionEvents,
  ) {
    const clock = new Worker(new URL("./clock.ts", import.meta.url), { type: "module", name: "clock" });
    clock.onmessage = () => this.#pulse?.();
    window.addEventListener("online", () => this.#wake?.());
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "visible") this.#wake?.();
    });
  }

  /** It is somebody else's connection. */
  get isGuest(): boolean {
    return this.way.by !== "own";
  }

  get live(): boolean {
    return this.phase.name === "live";
  }

  /** Connects anew; also the retry button. */
  start(): void {
    this.#drop();
    this.connection = "";
    void this.#connect(++this.#era);
  }

  /** Takes the same connection up again at once (the tool bar's button). */
  reconnect(): void {
    this.#drop();
    this.#cut(++this.#era, 0);
  }

  disconnect(): void {
    this.#era += 1;
    this.#drop();
    this.#to({
      name: "ended",
      ending: {
        title: this.isGuest ? "You have left" : "Disconnected",
        text: this.isGuest
          ? "You are no longer watching."
          : "Your desktop goes on running. Connect again whenever you like.",
        action: "retry",
      },
    });
  }

  /** Sends at once; false when there is no open WebSocket. */
  /** Sends records as one message; nothing before the hello. */
  send(...records: [ViewerRecord, ...ViewerRecord[]]): boolean {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#greeted ||= records[0].type === "hello";
    if (!this.#greeted) return false;
    const parts = records.map(encodeViewer);
    const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
    parts.reduce((at, part) => {
      bytes.set(part, at);
      return at + part.length;
    }, 0);
    this.bytesOut += bytes.length;
    this.#socket.send(bytes);
    return true;
  }

  /** Bytes that wait to leave this browser. */
  get waiting(): number {
    return this.#socket?.bufferedAmount ?? 0;
  }

  /** Measures the round trip now. */
  ping(): void {
    this.#token = (this.#token + 1) >>> 0;
    if (this.#pings.size > 16) this.#pings.clear();
    this.#pings.set(this.#token, performance.now());
    this.send({ type: "ping", token: this.#token });
  }

  #to(phase: Phase): void {
    this.phase = phase;
    this.events.phase(phase);
  }

  async #connect(era: number): Promise<void> {
    this.#to({ name: "asking" });
    for (;;) {
      try {
        const ticket = await this.#ticket();
        if (era === this.#era) this.#open(era, ticket.path, false);
        return;
      } catch (error) {
        if (era !== this.#era) return;
        if (!(error instanceof ApiError) || error.code !== "desktop_not_ready") {
          this.#to({ name: "ended", ending: endingOf(error) });
          return;
        }
        if (!(await this.#untilReady(era))) return;
      }
    }
  }

  async #ticket(resume = ""): Promise<Ticket> {
    const { way } = this;
    if (way.by === "own") return this.api.connect(this.desktop, this.kind, resume || undefined, way.app);
    const ticket = await this.api.join(way);
    this.owner = ticket.owner;
    this.title = ticket.desktop;
    this.events.named();
    return ticket;
  }

  /** Polls a starting desktop and shows its steps; true when it is worth asking for a ticket again. */
  async #untilReady(era: number): Promise<boolean> {
    if (this.phase.name !== "starting") this.#to({ name: "starting", desktop: null });
    for (;;) {
      try {
        const desktop = await this.api.desktop(this.desktop);
        if (era !== this.#era) return false;
        this.title = desktop.name;
        if (desktop.state === "failed") {
          const text = desktop.failure || "The machine did not start. An administrator can see why.";
          this.#to({
            name: "ended",
            ending: { title: "The desktop could not start", text, action: "retry" },
          });
          return false;
        }
        this.#to({ name: "starting", desktop });
        await this.#sleep(POLL_MS);
        if (era !== this.#era) return false;
        if (desktop.state === "ready" || desktop.state === "in_use") return true;
        // Someone stopped it meanwhile: asking for a ticket starts it again.
        if (desktop.state === "stopped") return true;
      } catch (error) {
        if (era !== this.#era) return false;
        if (error instanceof ApiError && error.status !== 0 && error.status < 500) {
          this.#to({ name: "ended", ending: endingOf(error) });
          return false;
        }
        await this.#sleep(POLL_MS * 2);
        if (era !== this.#era) return false;
      }
    }
  }

  #open(era: number, path: string, resuming: boolean): void {
    const address = new URL(path, location.href);
    address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(address);
    socket.binaryType = "arraybuffer";
    this.#socket = socket;
    this.#greeted = false;
    if (!resuming) this.#to({ name: "opening", status: null, text: "" });
    const late = setTimeout(() => socket.close(), OPEN_MS_MAX);
    let opened = false;

    socket.onopen = async () => {
      clearTimeout(late);
      opened = true;
      this.#heard = performance.now();
      this.events.opened();
      const slow = new Promise<number>((resolve) => setTimeout(() => resolve(0), ABILITIES_MS_MAX));
      const bits = await Promise.race([this.events.abilities().catch(() => 0), slow]);
      if (era !== this.#era || socket !== this.#socket) return;
      // In one message: the server must know before it turns to the machine.
      this.send(
        { type: "hello", version: PROTOCOL_VERSION, ...this.events.hello() },
        { type: "abilities", bits },
        ...this.events.early(),
      );
      this.ping();
      this.#pulse = () => {
        if (performance.now() - this.#heard > SILENCE_MS) {
          // close() would wait for an answer from a peer that is gone.
          socket.onclose = null;
          socket.close();
          this.#lost(era);
        } else this.ping();
      };
    };
    socket.onmessage = ({ data }: MessageEvent<unknown>) => {
      this.#heard = performance.now();
      if (data instanceof ArrayBuffer) this.#take(era, data);
    };
    socket.onclose = () => {
      clearTimeout(late);
      if (era !== this.#era || socket !== this.#socket) return;
      if (opened || resuming || this.live || this.phase.name === "cut") this.#lost(era);
      else {
        const text = "The server did not open the connection. Check the network, then try again.";
        this.#drop();
        this.#to({ name: "ended", ending: { title: "No connection", text, action: "retry" } });
      }
    };
  }

  #take(era: number, message: ArrayBuffer): void {
    this.bytesIn += message.byteLength;
    let pixels = false;
    try {
      for (const raw of split(message)) {
        if (SCREEN_TYPES.has(raw.type)) {
          pixels = true;
          // A guest's terminal has the size of its owner's.
          if (raw.type !== FRAME_END && raw.type !== RESIZE) continue;
        }
        const record = decodeServer(raw);
        if (record) this.#handle(era, record);
        if (era !== this.#era) return;
      }
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      this.#era += 1;
      this.#drop();
      const text = `The server sent something that is not the viewer protocol: ${error.message}. Try again; if it stays so, the page and the server are of different versions: reload the page.`;
      this.#to({ name: "ended", ending: { title: "Protocol error", text, action: "retry" } });
      return;
    }
    if (pixels) this.events.screen(message);
  }

  #handle(era: number, record: ServerRecord): void {
    switch (record.type) {
      case "hello":
        this.connection = record.connection;
        // A connection that only begins does not know its desktop's name yet.
        if (record.title) this.title = record.title;
        else if (!this.title && !this.isGuest) void this.#askName();
        break;
      case "status":
        if (!this.live && this.phase.name !== "cut") {
          this.#to({ name: "opening", status: record.code, text: record.text });
        }
        break;
      case "pong": {
        const sent = this.#pings.get(record.token);
        this.#pings.delete(record.token);
        if (sent === undefined) return;
        this.rtt = performance.now() - sent;
        // Whoever helps sees how far away this is. A page that slept measured its sleep.
        if (!this.isGuest && this.rtt < SILENCE_MS)
          this.send({ type: "round_trip", micros: Math.round(this.rtt * 1000) });
        return;
      }
      case "bye":
        if (record.code === Bye.serverShutdown) {
          this.#lost(era);
          return;
        }
        this.#era += 1;
        this.#drop();
        this.#to({ name: "ended", ending: this.#farewell(record.code, record.text) });
        return;
      default:
        break;
    }
    this.events.record(record);
  }

  /** Who knocked and was not let in may knock again: the server counts. */
  #farewell(code: number, text: string): Ending {
    const ending = endingOfBye(code, text);
    const knocked = this.way.by === "guest" && this.phase.name === "opening" && code === Bye.dismissed;
    return knocked ? { ...ending, title: "You were not let in", action: "retry" } : ending;
  }

  async #askName(): Promise<void> {
    try {
      this.title = (await this.api.desktop(this.desktop)).name;
      this.events.named();
    } catch {
      // The page says "Desktop" then.
    }
  }

  /** The first picture or the first terminal byte is here. */
  arrived(): void {
    if (this.live || this.phase.name === "ended" || this.#socket?.readyState !== WebSocket.OPEN) return;
    this.#to({ name: "live" });
  }

  #lost(era: number): void {
    if (era !== this.#era) return;
    this.#drop();
    this.#cut(++this.#era, this.phase.name === "cut" ? this.phase.attempt + 1 : 0);
  }

  #cut(era: number, attempt: number): void {
    const since = this.phase.name === "cut" ? this.phase.since : performance.now();
    void this.#comeBack(era, attempt, since);
  }

  async #comeBack(era: number, first: number, since: number): Promise<void> {
    for (let attempt = first; ; attempt += 1) {
      const wait = backoff(attempt);
      this.#to({ name: "cut", since, next: performance.now() + wait, attempt });
      await this.#sleep(wait);
      if (era !== this.#era) return;
      if (performance.now() - since > CUT_MS_MAX) {
        const text = "The server could not be reached for ten minutes. Check the network, then try again.";
        this.#to({ name: "ended", ending: { title: "Connection lost", text, action: "retry" } });
        return;
      }
      try {
        const ticket = await this.#ticket(this.connection);
        if (era !== this.#era) return;
        this.resumed += 1;
        this.#open(era, ticket.path, true);
        return;
      } catch (error) {
        if (era !== this.#era) return;
        if (!(error instanceof ApiError) || error.status === 0 || error.status >= 500) continue;
        // Their own seat is free when the server has noticed that they left it.
        if (this.way.by === "guest" && (error.status === 429 || error.code === "guest_seat_taken")) continue;
        if (error.status === 401 || error.status === 403) {
          this.#to({ name: "ended", ending: endingOf(error) });
          return;
        }
        // The connection is gone for good (or its machine is): begin again as if just clicked. A guest has nowhere to go.
        if (this.connection && !this.isGuest) {
          this.connection = "";
          void this.#connect(era);
          return;
        }
        this.#to({ name: "ended", ending: endingOf(error) });
        return;
      }
    }
  }

  #drop(): void {
    this.#pulse = null;
    this.#pings.clear();
    const socket = this.#socket;
    this.#socket = null;
    if (!socket) return;
    socket.onopen = null;
    socket.onmessage = null;
    socket.onclose = null;
    socket.close();
  }

  /** Sleeps, but wakes when the network or the tab comes back. */
  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        if (this.#wake === done) this.#wake = null;
        resolve();
      };
      const timer = setTimeout(done, ms);
      this.#wake = done;
    });
  }
}

function sentence(...parts: string[]): string {
  return parts
    .filter((part) => part !== "")
    .map((part) => part.charAt(0).toUpperCase() + part.slice(1) + (/[.!?]$/.test(part) ? "" : "."))
    .join(" ");
}

function endingOf(error: unknown): Ending {
  if (!(error instanceof ApiError)) {
    return { title: "Something went wrong in this page", text: sentence(String(error)), action: "retry" };
  }
  if (error.status === 401 || error.code === "second_factor_needed") {
    return {
      title: "You are signed out",
      text: "Sign in again to come back to this desktop.",
      action: "sign in",
    };
  }
  if (error.code === "locked") return { ...LOCKED, text: sentence(error.detail) };
  if (error.code === "invite_unknown") {
    return {
      title: "This invitation is not open",
      text: sentence(error.detail, error.nextStep),
      action: "none",
    };
  }
  if (error.status === 404) {
    const text = "It may have been removed, or it is not yours.";
    return { title: "There is no such desktop", text: sentence(error.detail) || text, action: "none" };
  }
  if (error.status === 0) {
    return {
      title: "The server does not answer",
      text: "Check the network, then try again.",
      action: "retry",
    };
  }
  const text = sentence(error.detail, error.nextStep);
  return { title: error.title, text, action: error.status === 403 ? "none" : "retry" };
}

const LOCKED: Ending = { title: "Locked", text: "", action: "unlock" };

const BYE_TITLES: Readonly<Record<number, string>> = {
  [Bye.remoteEnded]: "The session has ended",
  [Bye.unreachable]: "The machine could not be reached",
  [Bye.credentialsRefused]: "The machine refused the sign-in",
  [Bye.identityChanged]: "This is not the machine we know",
  [Bye.protocol]: "Protocol error",
  [Bye.endedByAdmin]: "Ended by an administrator",
  [Bye.takenOver]: "Open in another place",
  [Bye.tooSlow]: "Disconnected",
  [Bye.dismissed]: "You are not watching any more",
  [Bye.internal]: "Something went wrong in the server",
  [Bye.timeOver]: "The time of this connection is over",
};

export function endingOfBye(code: number, text: string): Ending {
  if (code === Bye.locked) return { ...LOCKED, text: sentence(text) };
  const title = BYE_TITLES[code] ?? "The connection has ended";
  const own: Readonly<Record<number, string>> = {
    [Bye.takenOver]: "This desktop was opened in another window or on another device.",
    [Bye.endedByAdmin]: "An administrator ended this session.",
  };
  const final = code === Bye.identityChanged || code === Bye.dismissed;
  const action = code === Bye.takenOver ? "take back" : final ? "none" : "retry";
  return { title, text: sentence(text) || own[code] || "", action };
}
