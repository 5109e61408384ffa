/**
 * H.264 through WebCodecs: one decoder for each area that shows video, made at its key frame from what the stream's
 * own parameter set says. A stream that fails is given up and told, once; it begins anew with the next key frame. The views of
 * a picture in 4:4:4 are one stream.
 */
import { MONITORS_MAX, type Rect, VideoCodec, type VideoTrouble } from "../wire";

/** Video areas at once, one for each monitor; the oldest is closed for a new one. */
const STREAMS_MAX = MONITORS_MAX;
/** A frame waits this long for its video picture; a decoder that takes longer is taken for stuck. Milliseconds. */
const PATIENCE_MS = 3000;
/** Pictures a decoder may hold: as many as the server sends at once to somebody who joins. */
const PENDING_MAX = 1200;
/** What the remote desktops send at most, level 5.2 for 4K. */
const PROBE: VideoDecoderConfig = { codec: "avc1.640034", optimizeForLatency: true };

export type VideoRecord = Rect & { codec: number; key: boolean; bytes: Uint8Array<ArrayBuffer> };

export type VideoEvents = {
  problem(text: string): void;
  videoTrouble(trouble: VideoTrouble): void;
};

/** Whether this browser decodes H.264 here: it needs WebCodecs, thus a secure address. */
export async function decodesH264(): Promise<boolean> {
  if (typeof VideoDecoder === "undefined") return false;
  const { supported } = await VideoDecoder.isConfigSupported(PROBE);
  return supported === true;
}

/** The `codecs` string (RFC 6381) of an Annex B stream, from its sequence parameter set; `null` without one. */
export function avcCodec(bytes: Uint8Array): string | null {
  for (let at = 0; at + 7 < bytes.length; at += 1) {
    if (bytes[at] !== 0 || bytes[at + 1] !== 0 || bytes[at + 2] !== 1) continue;
    if (((bytes[at + 3] ?? 0) & 0x1f) !== 7) continue;
    const hex = (offset: number) => (bytes[at + offset] ?? 0).toString(16).padStart(2, "0");
    return `avc1.${hex(4)}${hex(5)}${hex(6)}`;
  }
  return null;
}

class Stream {
  readonly #decoder: VideoDecoder;
  readonly #waiting = new Map<number, (frame: VideoFrame | null) => void>();
  #next = 0;
  broken: VideoTrouble | null = null;

  constructor(
    readonly codec: string,
    private readonly failed: (trouble: VideoTrouble, text: string) => void,
  ) {
    this.#decoder = new VideoDecoder({
      output: (frame) => {
        const resolve = this.#waiting.get(frame.timestamp);
        this.#waiting.delete(frame.timestamp);
        // An older picture still waiting was dropped by the decoder.
        for (const [time, drop] of this.#waiting) {
          if (time > frame.timestamp) break;
          this.#waiting.delete(time);
          drop(null);
        }
        if (resolve) resolve(frame);
        else frame.close();
      },
      error: (error) => {
        this.fail(error.name === "NotSupportedError" ? "undecodable" : "lost", error.message);
      },
    });
    this.#decoder.configure({ codec, optimizeForLatency: true });
  }

  decode(record: VideoRecord): Promise<VideoFrame | null> {
    if (this.#waiting.size > PENDING_MAX) this.fail("lost", "the decoder holds its pictures back");
    if (this.broken) return Promise.resolve(null);
    const timestamp = this.#next++;
    return new Promise((resolve) => {
      this.#waiting.set(timestamp, resolve);
      try {
        const type = record.key ? "key" : "delta";
        this.#decoder.decode(new EncodedVideoChunk({ type, timestamp, data: record.bytes }));
      } catch (error) {
        this.fail("lost", String(error));
      }
    });
  }

  /** Gives up; told once. */
  fail(trouble: VideoTrouble, text: string): void {
    if (this.broken) return;
    this.broken = trouble;
    this.#dropAll();
    this.failed(trouble, text);
  }

  #dropAll(): void {
    for (const drop of this.#waiting.values()) drop(null);
    this.#waiting.clear();
  }

  close(): void {
    this.broken ??= "lost";
    this.#dropAll();
    if (this.#decoder.state !== "closed") this.#decoder.close();
  }
}

const areaOf = ({ x, y, w, h }: Rect) => `${x},${y},${w},${h}`;

export class VideoStreams {
  readonly #streams = new Map<string, Stream>();
  readonly #told = new Set<string>();

  constructor(private readonly events: VideoEvents) {}

  #failed = (trouble: VideoTrouble, text: string) => {
    console.warn("video:", text);
    this.events.videoTrouble(trouble);
  };

  #once(text: string): void {
    if (this.#told.has(text)) return;
    this.#told.add(text);
    this.events.problem(text);
  }

  /** Gives an area's stream up: it begins anew with a key frame. */
  lose(area: Rect, text: string): void {
    this.#streams.get(areaOf(area))?.fail("lost", text);
  }

  /** Waits for a decoded picture, but not longer than a frame may wait. */
  async within(rect: Rect, decoded: Promise<void>): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(() => {
        this.lose(rect, `no picture within ${PATIENCE_MS} ms`);
        resolve();
      }, PATIENCE_MS);
    });
    await Promise.race([decoded, late]);
    clearTimeout(timer);
  }

  /** The picture of an access unit; `null` when there is none (no decoder, no key frame yet, an error). */
  decode(record: VideoRecord): Promise<VideoFrame | null> {
    if (record.codec > VideoCodec.chromaV2) {
      this.#once(`video codec ${record.codec} is not known to this viewer`);
      return Promise.resolve(null);
    }
    if (typeof VideoDecoder === "undefined") {
      this.#once(
        "this browser cannot decode video here (WebCodecs needs a recent browser and a secure address)",
      );
      return Promise.resolve(null);
    }
    const area = areaOf(record);
    const codec = record.key ? avcCodec(record.bytes) : null;
    let stream = this.#streams.get(area);
    if (stream && (stream.broken || (codec && codec !== stream.codec))) {
      stream.close();
      this.#streams.delete(area);
      stream = undefined;
    }
    if (!stream) {
      // Without a key frame there is nothing to decode onto; the next one starts the picture.
      if (!codec) return Promise.resolve(null);
      try {
        stream = new Stream(codec, this.#failed);
      } catch (error) {
        this.#failed("undecodable", `${codec} could not be started: ${String(error)}`);
        return Promise.resolve(null);
      }
      const oldest = this.#streams.keys().next().value;
      if (this.#streams.size >= STREAMS_MAX && oldest !== undefined) {
        this.#streams.get(oldest)?.close();
        this.#streams.delete(oldest);
      }
      this.#streams.set(area, stream);
    }
    return stream.decode(record);
  }

  close(): void {
    for (const stream of this.#streams.values()) stream.close();
    this.#streams.clear();
  }
}
