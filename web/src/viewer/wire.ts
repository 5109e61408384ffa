/**
 * The viewer protocol of docs/viewer-protocol.md, byte by byte, both directions. Total: any bytes give records or a
 * {@link WireError}, never anything else. Payload bytes are views into the message, not copies.
 *
 * The vectors in docs/viewer-protocol-vectors.json hold this file and `crates/screen/src/wire/` together.
 */

export const PROTOCOL_VERSION = 1;
/** Largest payload from the server, bytes. */
export const RECORD_BYTES_MAX = 16 * 1024 * 1024;
/** Largest payload to the server, bytes. */
export const INPUT_BYTES_MAX = 1024 * 1024 + 16;
export const CLIPBOARD_BYTES_MAX = 1024 * 1024;
/** Of a picture on a clipboard, as PNG: bytes and pixels. */
export const CLIPBOARD_PICTURE_BYTES_MAX = 8 * 1024 * 1024;
export const CLIPBOARD_PIXELS_MAX = 4096 * 2560;
/** Formats of the clipboard. Those with parts of a copy come before its text, which ends it and may be empty. */
export const Format = { text: 0, html: 1, png: 2 } as const;
export const TEXT_BYTES_MAX = 4096;
const HEADER_BYTES = 5;

/** Bytes that are not the viewer protocol. Texts follow the server's: lowercase, no trailing period. */
export class WireError extends Error {
  override name = "WireError";
}

export type Kind = "screen" | "terminal";
export type Rect = { x: number; y: number; w: number; h: number };
/** A monitor of the person's, in pixels of the surface; its scale in per cent. */
export type Monitor = Rect & { scale: number; primary: boolean };
export type TileCodec = "raw" | "png" | "jpeg" | "webp";
/** What a viewer says about recording. */
export type RecordingSign = "off" | "on" | "asked";
export type StatusCode = "dialling" | "authenticating" | "connected" | "waiting";

const KINDS: readonly Kind[] = ["screen", "terminal"];
const TILE_CODECS: readonly TileCodec[] = ["raw", "png", "jpeg", "webp"];
const RECORDING_SIGNS: readonly RecordingSign[] = ["off", "on", "asked"];
const STATUS_CODES: readonly StatusCode[] = ["dialling", "authenticating", "connected", "waiting"];
const NOTICES = ["lock", "end", "idle", "booked"] as const;
/** What is about to happen: nobody touches the connection, or its time is nearly over. */
export type Notice = (typeof NOTICES)[number];
const PERSON_KINDS = ["owner", "guest", "helper", "visitor"] as const;
/** As what somebody is in front of the connection; a helper is an administrator, a visitor a guest without an account. */
export type PersonKind = (typeof PERSON_KINDS)[number];
const QUESTION_KINDS = ["watch", "help", "control", "knock", "knock_help"] as const;
/**
 * Somebody wants to come and watch, to come and help, or, watching already, keys and pointer; or somebody without an
 * account wants to come and watch, or to come with keys and pointer.
 */
export type QuestionKind = (typeof QUESTION_KINDS)[number];
/** Seat 0 is the owner's. */
export type Person = {
  seat: number;
  kind: PersonKind;
  control: boolean;
  may_control: boolean;
  here: boolean;
  name: string;
};
const PERSON_CONTROLS = 1;
const PERSON_MAY_CONTROL = 2;
const PERSON_HERE = 4;
const SEATS_MAX = 9;
const TOUCH_PHASES = ["start", "move", "end", "cancel"] as const;
export type TouchPhase = (typeof TOUCH_PHASES)[number];

const CONTACT_STATES = ["away", "hovers", "touches", "cancelled"] as const;
export type ContactState = (typeof CONTACT_STATES)[number];
/** Fingers of one record at most. */
export const CONTACTS_MAX = 10;
const CONTACT_BYTES = 17;
/** What a pen's `flags` say. */
export const Pen = { barrel: 1, eraser: 2, inverted: 4 } as const;

/** A finger or a pen; what is not known is 0. */
export type Contact = {
  id: number;
  state: ContactState;
  x: number;
  y: number;
  /** What a finger covers, in pixels of the surface. */
  w: number;
  h: number;
  /** 1 to 1024. */
  pressure: number;
  /** Degrees below 360. */
  rotation: number;
  /** Degrees, -90 to 90. */
  tilt_x: number;
  tilt_y: number;
  flags: number;
};
const VIDEO_TROUBLES = ["lost", "undecodable"] as const;
/** `lost`: a key frame helps; `undecodable`: only pixels do. */
export type VideoTrouble = (typeof VIDEO_TROUBLES)[number];

/** What the person may do: bits of the rules record. */
export const Rule = {
  viewOnly: 1,
  clipboardToMachine: 2,
  clipboardToPerson: 4,
  sound: 8,
  upload: 16,
  download: 32,
  share: 64,
  microphone: 128,
  shareGuests: 256,
} as const;

/** Most monitors of a session, and their sides in pixels (MS-RDPEDISP 2.2.2.2.1). */
export const MONITORS_MAX = 8;
export const MONITOR_SIDE_MIN = 200;
export const MONITOR_SIDE_MAX = 8192;
/** The server refuses larger surfaces: sides and pixels. */
export const SURFACE_SIDE_MAX = 8192;
export const SURFACE_PIXELS_MAX = 7680 * 2400;
const MONITOR_PRIMARY = 1;

/** Abilities: the viewer decodes H.264; it puts the views of pictures in 4:4:4 together. */
export const ABILITY_H264 = 1;
export const ABILITY_H264_FULL = 2;
/** What a video record has: a picture in 4:2:0, or a view of one in 4:4:4. */
export const VideoCodec = { h264: 0, main: 1, chroma: 2, chromaV2: 3 } as const;
const VIDEO_KEY = 1;
const VIDEO_REGIONS = 2;
/** Most regions of one video frame. */
const VIDEO_REGIONS_MAX = 1024;

/** Why a connection ended; the numbers are the wire's. */
export const Bye = {
  remoteEnded: 0,
  unreachable: 1,
  credentialsRefused: 2,
  identityChanged: 3,
  protocol: 4,
  endedByAdmin: 5,
  takenOver: 6,
  tooSlow: 7,
  serverShutdown: 8,
  internal: 9,
  locked: 10,
  timeOver: 11,
  dismissed: 12,
} as const;

export type ServerRecord =
  | { type: "hello"; version: number; kind: Kind; connection: string; received: bigint; title: string }
  | { type: "resize"; width: number; height: number }
  | ({ type: "tile"; codec: TileCodec; bytes: Uint8Array<ArrayBuffer> } & Rect)
  | ({ type: "copy"; from_x: number; from_y: number } & Rect)
  | ({ type: "fill"; r: number; g: number; b: number } & Rect)
  | {
      type: "cursor";
      hot_x: number;
      hot_y: number;
      w: number;
      h: number;
      rgba: Uint8Array<ArrayBuffer>;
    }
  | { type: "cursor_default" }
  | { type: "cursor_move"; x: number; y: number }
  /** `regions`: what of the rectangle is drawn, from the same places of the picture; all of it, scaled, when absent. */
  | ({
      type: "video";
      codec: number;
      key: boolean;
      regions?: Rect[];
      bytes: Uint8Array<ArrayBuffer>;
    } & Rect)
  | {
      type: "audio";
      codec: number;
      channels: number;
      rate: number;
      time_ms: number;
      bytes: Uint8Array<ArrayBuffer>;
    }
  | { type: "clipboard"; format: number; bytes: Uint8Array<ArrayBuffer> }
  | { type: "bell" }
  | { type: "leds"; bits: number }
  | { type: "frame_end"; sequence: number }
  | { type: "pong"; token: number }
  | { type: "status"; code: StatusCode; text: string }
  | { type: "recording"; sign: RecordingSign; text: string }
  /** `bits` of {@link Rule}; `clipboard_kib`: the largest piece of clipboard. */
  | { type: "rules"; bits: number; clipboard_kib: number }
  | { type: "watermark"; text: string }
  /** 0 seconds: it no longer happens. */
  | { type: "notice"; notice: Notice; seconds: number }
  /** How a program on the machine wants to hear the person; 0 channels: none does any more. */
  | { type: "microphone"; channels: number; rate: number }
  /** How many fingers and pens the machine takes as they are; 0: they move its pointer. */
  | { type: "touch"; fingers: number; pens: number }
  | { type: "bye"; code: number; text: string }
  | { type: "terminal_data"; bytes: Uint8Array<ArrayBuffer> }
  | { type: "terminal_start"; offset: bigint }
  | { type: "terminal_repaint"; bytes: Uint8Array<ArrayBuffer> }
  | { type: "people"; own: number; people: Person[] }
  | { type: "pointing"; seat: number; x: number; y: number }
  /** `seconds` 0: nobody waits for the answer any more. */
  | { type: "question"; seat: number; kind: QuestionKind; seconds: number; name: string }
  | { type: "words"; text: string }
  /** A PDF of so many bytes was printed; it lies on the session's drive. */
  | { type: "printed"; name: string; size: number }
  /** What the window in front is called, where the session is one program; the machine's words, empty for nothing. */
  | { type: "title"; text: string }
  /** Somebody who helps says something to the person: it stays until they close it. */
  | { type: "message"; text: string }
  /** Only in recordings: what was typed, in words, and what went through the clipboard. */
  | { type: "typed"; text: string }
  | { type: "pasted"; text: string }
  | { type: "copied"; text: string };

export type ViewerRecord =
  | {
      type: "hello";
      version: number;
      width: number;
      height: number;
      scale: number;
      received: bigint;
      layout: string;
    }
  | { type: "key"; down: boolean; code: number; keysym: number }
  | { type: "pointer"; x: number; y: number; buttons: number }
  | { type: "wheel"; x: number; y: number; dx: number; dy: number }
  | { type: "touch"; id: number; phase: TouchPhase; x: number; y: number }
  /** What changed since the record of the same kind before, so many milliseconds ago. */
  | { type: "contacts"; pen: boolean; after_ms: number; contacts: Contact[] }
  | { type: "resize"; width: number; height: number; scale: number; monitors?: Monitor[] }
  | { type: "clipboard"; format: number; bytes: Uint8Array<ArrayBuffer> }
  | { type: "ack"; sequence: number }
  | { type: "ping"; token: number }
  /** How long the last ping took to come back. */
  | { type: "round_trip"; micros: number }
  | { type: "release" }
  | { type: "text"; text: string }
  | { type: "abilities"; bits: number }
  | { type: "listen"; on: boolean }
  | { type: "microphone"; channels: number; rate: number; bytes: Uint8Array<ArrayBuffer> }
  | { type: "video_trouble"; trouble: VideoTrouble }
  | { type: "terminal_input"; bytes: Uint8Array<ArrayBuffer> }
  | { type: "terminal_resize"; columns: number; rows: number }
  | { type: "terminal_ack"; offset: bigint }
  | { type: "consent"; yes: boolean }
  | { type: "answer"; seat: number; yes: boolean }
  | { type: "control"; seat: number; on: boolean }
  | { type: "remove"; seat: number }
  | { type: "ask_control" };

/** The record types that change pixels: the screen worker takes these, the page all others. */
export const SCREEN_TYPES: ReadonlySet<number> = new Set([0x02, 0x10, 0x11, 0x12, 0x18, 0x30]);

export type RawRecord = { type: number; payload: Uint8Array<ArrayBuffer> };

/** Splits a WebSocket message into its records without looking into them. */
export function* split(message: ArrayBuffer, limit = RECORD_BYTES_MAX): Generator<RawRecord> {
  const view = new DataView(message);
  let at = 0;
  while (at < message.byteLength) {
    if (message.byteLength - at < HEADER_BYTES) throw new WireError("a record is cut off in its header");
    const type = view.getUint8(at);
    const length = view.getUint32(at + 1, true);
    if (length > limit) throw new WireError(`a record of ${length} bytes is over the limit of ${limit}`);
    at += HEADER_BYTES;
    if (message.byteLength - at < length) throw new WireError(`a record of type ${type} is cut off`);
    yield { type, payload: new Uint8Array(message, at, length) };
    at += length;
  }
}

const decoder = new TextDecoder();
const encoder = new TextEncoder();

/** Reads fields in order; every read checks what is left. */
class Reader {
  readonly #view: DataView<ArrayBuffer>;
  readonly #payload: Uint8Array<ArrayBuffer>;
  #at = 0;

  constructor(payload: Uint8Array<ArrayBuffer>) {
    this.#payload = payload;
    this.#view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  }

  #take(bytes: number): number {
    const at = this.#at;
    if (this.#view.byteLength - at < bytes) throw new WireError("a record is shorter than its fields");
    this.#at = at + bytes;
    return at;
  }

  u8 = () => this.#view.getUint8(this.#take(1));
  i8 = () => this.#view.getInt8(this.#take(1));
  u16 = () => this.#view.getUint16(this.#take(2), true);
  i16 = () => this.#view.getInt16(this.#take(2), true);
  u32 = () => this.#view.getUint32(this.#take(4), true);
  u64 = () => this.#view.getBigUint64(this.#take(8), true);
  bytes(length: number): Uint8Array<ArrayBuffer> {
    const at = this.#take(length);
    return this.#payload.subarray(at, at + length);
  }
  get done(): boolean {
    return this.#at >= this.#payload.length;
  }
  rest = () => this.#payload.subarray(this.#at);
  text = () => decoder.decode(this.rest());
  rect = (): Rect => ({ x: this.u16(), y: this.u16(), w: this.u16(), h: this.u16() });
  choice<T>(what: string, choices: readonly T[]): T {
    const number = this.u8();
    const choice = choices[number];
    if (choice === undefined) throw new WireError(`${what} ${number} is not known`);
    return choice;
  }
}

function uuid(bytes: Uint8Array): string {
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

function readMonitor(read: Reader): Monitor {
  return { ...read.rect(), scale: read.u16(), primary: (read.u8() & MONITOR_PRIMARY) !== 0 };
}

function readPerson(read: Reader): Person {
  const seat = read.u8();
  const kind = read.choice("the kind of a person", PERSON_KINDS);
  const flags = read.u8();
  return {
    seat,
    kind,
    control: (flags & PERSON_CONTROLS) !== 0,
    may_control: (flags & PERSON_MAY_CONTROL) !== 0,
    here: (flags & PERSON_HERE) !== 0,
    name: decoder.decode(read.bytes(read.u8())),
  };
}

/** One record of the server, or `null` for a type this viewer does not know. */
export function decodeServer({ type, payload }: RawRecord): ServerRecord | null {
  const read = new Reader(payload);
  switch (type) {
    case 0x01:
      return {
        type: "hello",
        version: read.u8(),
        kind: read.choice("the connection kind", KINDS),
        connection: uuid(read.bytes(16)),
        received: read.u64(),
        title: read.text(),
      };
    case 0x02:
      return { type: "resize", width: read.u16(), height: read.u16() };
    case 0x10: {
      const rect = read.rect();
      const codec = read.choice("the tile codec", TILE_CODECS);
      const bytes = read.rest();
      if (codec === "raw" && bytes.length < rect.w * rect.h * 3) {
        throw new WireError("a raw tile has fewer bytes than pixels");
      }
      return { type: "tile", ...rect, codec, bytes };
    }
    case 0x11:
      return { type: "copy", from_x: read.u16(), from_y: read.u16(), ...read.rect() };
    case 0x12:
      return { type: "fill", ...read.rect(), r: read.u8(), g: read.u8(), b: read.u8() };
    case 0x13: {
      const head = { hot_x: read.u16(), hot_y: read.u16(), w: read.u16(), h: read.u16() };
      return { type: "cursor", ...head, rgba: read.bytes(head.w * head.h * 4) };
    }
    case 0x14:
      return { type: "cursor_default" };
    case 0x15:
      return { type: "cursor_move", x: read.u16(), y: read.u16() };
    case 0x18: {
      const rect = read.rect();
      const codec = read.u8();
      const flags = read.u8();
      const video = { type: "video" as const, ...rect, codec, key: (flags & VIDEO_KEY) !== 0 };
      if ((flags & VIDEO_REGIONS) === 0) return { ...video, bytes: read.rest() };
      const count = read.u16();
      if (count > VIDEO_REGIONS_MAX) throw new WireError(`a video frame has ${count} regions`);
      const regions = Array.from({ length: count }, () => read.rect());
      return { ...video, regions, bytes: read.rest() };
    }
    case 0x19:
      return {
        type: "audio",
        codec: read.u8(),
        channels: read.u8(),
        rate: read.u32(),
        time_ms: read.u32(),
        bytes: read.rest(),
      };
    case 0x20:
      return { type: "clipboard", format: read.u8(), bytes: read.rest() };
    case 0x21:
      return { type: "bell" };
    case 0x22:
      return { type: "leds", bits: read.u8() };
    case 0x30:
      return { type: "frame_end", sequence: read.u32() };
    case 0x31:
      return { type: "pong", token: read.u32() };
    case 0x32:
      return { type: "status", code: read.choice("the status", STATUS_CODES), text: read.text() };
    case 0x38:
      return {
        type: "recording",
        sign: read.choice("the recording sign", RECORDING_SIGNS),
        text: read.text(),
      };
    case 0x39:
      return { type: "rules", bits: read.u32(), clipboard_kib: read.u32() };
    case 0x3a:
      return { type: "watermark", text: read.text() };
    case 0x3b: {
      const notice = NOTICES[read.u8()];
      return notice === undefined ? null : { type: "notice", notice, seconds: read.u32() };
    }
    case 0x3c:
      return { type: "microphone", channels: read.u8(), rate: read.u32() };
    case 0x3d:
      return { type: "touch", fingers: read.u8(), pens: read.u8() };
    case 0x3f:
      return { type: "bye", code: read.u8(), text: read.text() };
    case 0x40:
      return { type: "terminal_data", bytes: read.rest() };
    case 0x41:
      return { type: "terminal_start", offset: read.u64() };
    case 0x42:
      return { type: "terminal_repaint", bytes: read.rest() };
    case 0x50: {
      const own = read.u8();
      const count = read.u8();
      if (count > SEATS_MAX) throw new WireError(`${count} people are said to be here`);
      return { type: "people", own, people: Array.from({ length: count }, () => readPerson(read)) };
    }
    case 0x51:
      return { type: "pointing", seat: read.u8(), x: read.u16(), y: read.u16() };
    case 0x52:
      return {
        type: "question",
        seat: read.u8(),
        kind: read.choice("the question", QUESTION_KINDS),
        seconds: read.u16(),
        name: read.text(),
      };
    case 0x53:
      return { type: "words", text: read.text() };
    case 0x54:
      return { type: "printed", size: read.u32(), name: read.text() };
    case 0x55:
      return { type: "title", text: read.text() };
    case 0x56:
      return { type: "message", text: read.text() };
    case 0x60:
      return { type: "typed", text: read.text() };
    case 0x61:
      return { type: "pasted", text: read.text() };
    case 0x62:
      return { type: "copied", text: read.text() };
    default:
      return null;
  }
}

function readContact(read: Reader): Contact {
  return {
    id: read.u8(),
    state: read.choice("the state of a contact", CONTACT_STATES),
    x: read.u16(),
    y: read.u16(),
    w: read.u16(),
    h: read.u16(),
    pressure: read.u16(),
    rotation: read.u16(),
    tilt_x: read.i8(),
    tilt_y: read.i8(),
    flags: read.u8(),
  };
}

/** One record of a viewer, or `null` for an unknown type: for tests and tools; the server has its own. */
export function decodeViewer({ type, payload }: RawRecord): ViewerRecord | null {
  const read = new Reader(payload);
  switch (type) {
    case 0x81:
      return {
        type: "hello",
        version: read.u8(),
        width: read.u16(),
        height: read.u16(),
        scale: read.u16(),
        received: read.u64(),
        layout: read.text(),
      };
    case 0x82:
      return { type: "key", down: read.u8() !== 0, code: read.u16(), keysym: read.u32() };
    case 0x83:
      return { type: "pointer", x: read.u16(), y: read.u16(), buttons: read.u16() };
    case 0x84:
      return { type: "wheel", x: read.u16(), y: read.u16(), dx: read.i16(), dy: read.i16() };
    case 0x85:
      return {
        type: "touch",
        id: read.u8(),
        phase: read.choice("the touch phase", TOUCH_PHASES),
        x: read.u16(),
        y: read.u16(),
      };
    case 0x86: {
      const size = { width: read.u16(), height: read.u16(), scale: read.u16() };
      const count = read.done ? 0 : read.u8();
      if (count > MONITORS_MAX) throw new WireError(`a resize has ${count} monitors`);
      if (count === 0) return { type: "resize", ...size };
      return { type: "resize", ...size, monitors: Array.from({ length: count }, () => readMonitor(read)) };
    }
    case 0x87:
      return { type: "clipboard", format: read.u8(), bytes: read.rest() };
    case 0x88:
      return { type: "ack", sequence: read.u32() };
    case 0x89:
      return { type: "ping", token: read.u32() };
    case 0xd1:
      return { type: "round_trip", micros: read.u32() };
    case 0x8a:
      return { type: "release" };
    case 0x8b:
      return { type: "text", text: read.text() };
    case 0x8c:
      return { type: "abilities", bits: read.u32() };
    case 0x8e:
      return { type: "microphone", channels: read.u8(), rate: read.u32(), bytes: read.rest() };
    case 0x8f: {
      const pen = read.u8() !== 0;
      const after_ms = read.u16();
      const count = read.u8();
      if (count > CONTACTS_MAX) throw new WireError(`a record has ${count} contacts`);
      return {
        type: "contacts",
        pen,
        after_ms,
        contacts: Array.from({ length: count }, () => readContact(read)),
      };
    }
    case 0xd0:
      return { type: "listen", on: read.u8() !== 0 };
    case 0x8d:
      return { type: "video_trouble", trouble: read.choice("the video trouble", VIDEO_TROUBLES) };
    case 0x90:
      return { type: "terminal_input", bytes: read.rest() };
    case 0x91:
      return { type: "terminal_resize", columns: read.u16(), rows: read.u16() };
    case 0x92:
      return { type: "terminal_ack", offset: read.u64() };
    case 0x98:
      return { type: "consent", yes: read.u8() !== 0 };
    case 0xa0:
      return { type: "answer", seat: read.u8(), yes: read.u8() !== 0 };
    case 0xa1:
      return { type: "control", seat: read.u8(), on: read.u8() !== 0 };
    case 0xa2:
      return { type: "remove", seat: read.u8() };
    case 0xa3:
      return { type: "ask_control" };
    default:
      return null;
  }
}

/** Writes one record: a header, fields in order, then a tail of bytes. Numbers are clamped into their field. */
class Writer {
  readonly #bytes: Uint8Array<ArrayBuffer>;
  readonly #view: DataView<ArrayBuffer>;
  #at = HEADER_BYTES;

  constructor(type: number, fields: number, tail: Uint8Array = EMPTY) {
    this.#bytes = new Uint8Array(HEADER_BYTES + fields + tail.length);
    this.#view = new DataView(this.#bytes.buffer);
    this.#view.setUint8(0, type);
    this.#view.setUint32(1, fields + tail.length, true);
    this.#bytes.set(tail, HEADER_BYTES + fields);
  }

  #step(bytes: number): number {
    const at = this.#at;
    this.#at += bytes;
    return at;
  }

  u8(...values: number[]): this {
    for (const value of values) this.#view.setUint8(this.#step(1), clamp(value, 0, 0xff));
    return this;
  }
  u16(...values: number[]): this {
    for (const value of values) this.#view.setUint16(this.#step(2), clamp(value, 0, 0xffff), true);
    return this;
  }
  i8(...values: number[]): this {
    for (const value of values) this.#view.setInt8(this.#step(1), clamp(value, -0x80, 0x7f));
    return this;
  }
  i16(...values: number[]): this {
    for (const value of values) this.#view.setInt16(this.#step(2), clamp(value, -0x8000, 0x7fff), true);
    return this;
  }
  u32(value: number): this {
    this.#view.setUint32(this.#step(4), value >>> 0, true);
    return this;
  }
  u64(value: bigint): this {
    this.#view.setBigUint64(this.#step(8), value, true);
    return this;
  }
  bytes(bytes: Uint8Array): this {
    this.#bytes.set(bytes, this.#step(bytes.length));
    return this;
  }
  done = (): Uint8Array<ArrayBuffer> => this.#bytes;
}

const EMPTY = new Uint8Array(0);

function clamp(value: number, least: number, most: number): number {
  return Math.min(most, Math.max(least, Math.round(value) || 0));
}

function writeResize(record: Extract<ViewerRecord, { type: "resize" }>): Uint8Array<ArrayBuffer> {
  const monitors = record.monitors ?? [];
  const several = monitors.length > 0;
  const writer = new Writer(0x86, several ? 7 + 11 * monitors.length : 6);
  writer.u16(record.width, record.height, record.scale);
  if (several) writer.u8(monitors.length);
  for (const { x, y, w, h, scale, primary } of monitors)
    writer.u16(x, y, w, h, scale).u8(primary ? MONITOR_PRIMARY : 0);
  return writer.done();
}

/** One record to the server, header included. */
export function encodeViewer(record: ViewerRecord): Uint8Array<ArrayBuffer> {
  switch (record.type) {
    case "hello":
      return new Writer(0x81, 15, encoder.encode(record.layout))
        .u8(record.version)
        .u16(record.width, record.height, record.scale)
        .u64(record.received)
        .done();
    case "key":
      return new Writer(0x82, 7)
        .u8(record.down ? 1 : 0)
        .u16(record.code)
        .u32(record.keysym)
        .done();
    case "pointer":
      return new Writer(0x83, 6).u16(record.x, record.y, record.buttons).done();
    case "wheel":
      return new Writer(0x84, 8).u16(record.x, record.y).i16(record.dx, record.dy).done();
    case "touch":
      return new Writer(0x85, 6)
        .u8(record.id, TOUCH_PHASES.indexOf(record.phase))
        .u16(record.x, record.y)
        .done();
    case "resize":
      return writeResize(record);
    case "contacts": {
      const contacts = record.contacts.slice(0, CONTACTS_MAX);
      const writer = new Writer(0x8f, 4 + CONTACT_BYTES * contacts.length)
        .u8(record.pen ? 1 : 0)
        .u16(record.after_ms)
        .u8(contacts.length);
      for (const one of contacts)
        writer
          .u8(one.id, CONTACT_STATES.indexOf(one.state))
          .u16(one.x, one.y, one.w, one.h, one.pressure, one.rotation)
          .i8(one.tilt_x, one.tilt_y)
          .u8(one.flags);
      return writer.done();
    }
    case "clipboard":
      return new Writer(0x87, 1, record.bytes).u8(record.format).done();
    case "ack":
      return new Writer(0x88, 4).u32(record.sequence).done();
    case "ping":
      return new Writer(0x89, 4).u32(record.token).done();
    case "round_trip":
      return new Writer(0xd1, 4).u32(record.micros).done();
    case "release":
      return new Writer(0x8a, 0).done();
    case "text":
      return new Writer(0x8b, 0, encoder.encode(record.text)).done();
    case "abilities":
      return new Writer(0x8c, 4).u32(record.bits).done();
    case "microphone":
      return new Writer(0x8e, 5, record.bytes).u8(record.channels).u32(record.rate).done();
    case "listen":
      return new Writer(0xd0, 1).u8(record.on ? 1 : 0).done();
    case "video_trouble":
      return new Writer(0x8d, 1).u8(VIDEO_TROUBLES.indexOf(record.trouble)).done();
    case "terminal_input":
      return new Writer(0x90, 0, record.bytes).done();
    case "terminal_resize":
      return new Writer(0x91, 4).u16(record.columns, record.rows).done();
    case "terminal_ack":
      return new Writer(0x92, 8).u64(record.offset).done();
    case "consent":
      return new Writer(0x98, 1).u8(record.yes ? 1 : 0).done();
    case "answer":
      return new Writer(0xa0, 2).u8(record.seat, record.yes ? 1 : 0).done();
    case "control":
      return new Writer(0xa1, 2).u8(record.seat, record.on ? 1 : 0).done();
    case "remove":
      return new Writer(0xa2, 1).u8(record.seat).done();
    case "ask_control":
      return new Writer(0xa3, 0).done();
  }
}

/** One record of the server, header included: for tests and the mock server. */
export function encodeServer(record: ServerRecord): Uint8Array<ArrayBuffer> {
  switch (record.type) {
    case "hello": {
      const hex = record.connection.replaceAll("-", "");
      const connection = Uint8Array.from({ length: 16 }, (_, i) =>
        Number.parseInt(hex.slice(i * 2, i * 2 + 2), 16),
      );
      return new Writer(0x01, 26, encoder.encode(record.title))
        .u8(record.version, KINDS.indexOf(record.kind))
        .bytes(connection)
        .u64(record.received)
        .done();
    }
    case "resize":
      return new Writer(0x02, 4).u16(record.width, record.height).done();
    case "tile":
      return new Writer(0x10, 9, record.bytes)
        .u16(record.x, record.y, record.w, record.h)
        .u8(TILE_CODECS.indexOf(record.codec))
        .done();
    case "copy":
      return new Writer(0x11, 12)
        .u16(record.from_x, record.from_y, record.x, record.y, record.w, record.h)
        .done();
    case "fill":
      return new Writer(0x12, 11)
        .u16(record.x, record.y, record.w, record.h)
        .u8(record.r, record.g, record.b)
        .done();
    case "cursor":
      return new Writer(0x13, 8, record.rgba).u16(record.hot_x, record.hot_y, record.w, record.h).done();
    case "cursor_default":
      return new Writer(0x14, 0).done();
    case "cursor_move":
      return new Writer(0x15, 4).u16(record.x, record.y).done();
    case "video": {
      const { regions } = record;
      const writer = new Writer(0x18, 10 + (regions ? 2 + 8 * regions.length : 0), record.bytes)
        .u16(record.x, record.y, record.w, record.h)
        .u8(record.codec, (record.key ? VIDEO_KEY : 0) | (regions ? VIDEO_REGIONS : 0));
      if (regions) writer.u16(regions.length, ...regions.flatMap(({ x, y, w, h }) => [x, y, w, h]));
      return writer.done();
    }
    case "audio":
      return new Writer(0x19, 10, record.bytes)
        .u8(record.codec, record.channels)
        .u32(record.rate)
        .u32(record.time_ms)
        .done();
    case "clipboard":
      return new Writer(0x20, 1, record.bytes).u8(record.format).done();
    case "bell":
      return new Writer(0x21, 0).done();
    case "leds":
      return new Writer(0x22, 1).u8(record.bits).done();
    case "frame_end":
      return new Writer(0x30, 4).u32(record.sequence).done();
    case "pong":
      return new Writer(0x31, 4).u32(record.token).done();
    case "status":
      return new Writer(0x32, 1, encoder.encode(record.text)).u8(STATUS_CODES.indexOf(record.code)).done();
    case "recording":
      return new Writer(0x38, 1, encoder.encode(record.text)).u8(RECORDING_SIGNS.indexOf(record.sign)).done();
    case "rules":
      return new Writer(0x39, 8).u32(record.bits).u32(record.clipboard_kib).done();
    case "watermark":
      return new Writer(0x3a, 0, encoder.encode(record.text)).done();
    case "notice":
      return new Writer(0x3b, 5).u8(NOTICES.indexOf(record.notice)).u32(record.seconds).done();
    case "microphone":
      return new Writer(0x3c, 5).u8(record.channels).u32(record.rate).done();
    case "touch":
      return new Writer(0x3d, 2).u8(record.fingers, record.pens).done();
    case "bye":
      return new Writer(0x3f, 1, encoder.encode(record.text)).u8(record.code).done();
    case "terminal_data":
      return new Writer(0x40, 0, record.bytes).done();
    case "terminal_start":
      return new Writer(0x41, 8).u64(record.offset).done();
    case "terminal_repaint":
      return new Writer(0x42, 0, record.bytes).done();
    case "people": {
      const people = record.people.map((person) => {
        const flags =
          (person.control ? PERSON_CONTROLS : 0) |
          (person.may_control ? PERSON_MAY_CONTROL : 0) |
          (person.here ? PERSON_HERE : 0);
        const name = encoder.encode(person.name);
        return [person.seat, PERSON_KINDS.indexOf(person.kind), flags, name.length, ...name];
      });
      return new Writer(0x50, 2, Uint8Array.from(people.flat())).u8(record.own, people.length).done();
    }
    case "pointing":
      return new Writer(0x51, 5).u8(record.seat).u16(record.x, record.y).done();
    case "question":
      return new Writer(0x52, 4, encoder.encode(record.name))
        .u8(record.seat, QUESTION_KINDS.indexOf(record.kind))
        .u16(record.seconds)
        .done();
    case "words":
      return new Writer(0x53, 0, encoder.encode(record.text)).done();
    case "printed":
      return new Writer(0x54, 4, encoder.encode(record.name)).u32(record.size).done();
    case "title":
      return new Writer(0x55, 0, encoder.encode(record.text)).done();
    case "message":
      return new Writer(0x56, 0, encoder.encode(record.text)).done();
    case "typed":
      return new Writer(0x60, 0, encoder.encode(record.text)).done();
    case "pasted":
      return new Writer(0x61, 0, encoder.encode(record.text)).done();
    case "copied":
      return new Writer(0x62, 0, encoder.encode(record.text)).done();
  }
}

/** Clipboard or input-method text cut to `limit` bytes at a character's edge, so that the end stays valid UTF-8. */
export function encodeText(text: string, limit: number): Uint8Array<ArrayBuffer> {
  const bytes = encoder.encode(text);
  if (bytes.length <= limit) return bytes;
  let end = limit;
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return bytes.slice(0, end);
}
