/**
 * H.264 through WebCodecs: one decoder for each area that shows video, made at its key frame from what the stream's
 * own parameter set says.
 */
import type { Rect } from "../wire";

/** Video areas at once; the oldest is closed for a new one. */
const STREAMS_MAX = 4;
/** A frame waits this long for its video picture before it is shown without it, milliseconds. */
const PATIENCE_MS = 200;
/** Pictures a decoder may hold before it is taken for stuck. */
const PENDING_MAX = 32;

export type VideoRecord = Rect & { codec: number; key: boolean; bytes: Uint8Array<ArrayBuffer> };

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
  broken = false;

  constructor(codec: string, problem: (text: string) => void) {
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
        this.broken = true;
        this.#dropAll();
        problem(`the video could not be decoded: ${error.message}`);
      },
    });
    this.#decoder.configure({ codec, optimizeForLatency: true });
  }

  decode(record: VideoRecord): Promise<VideoFrame | null> {
    if (this.broken || this.#waiting.size > PENDING_MAX) {
      this.broken = true;
      return Promise.resolve(null);
    }
    const timestamp = this.#next++;
    return new Promise((resolve) => {
      this.#waiting.set(timestamp, resolve);
      try {
        const type = record.key ? "key" : "delta";
        this.#decoder.decode(new EncodedVideoChunk({ type, timestamp, data: record.bytes }));
      } catch {
        this.broken = true;
        this.#dropAll();
      }
    });
  }

  #dropAll(): void {
    for (const drop of this.#waiting.values()) drop(null);
    this.#waiting.clear();
  }

  close(): void {
    this.#dropAll();
    if (this.#decoder.state !== "closed") this.#decoder.close();
  }
}

export class VideoStreams {
  readonly #streams = new Map<string, Stream>();
  #told = false;

  constructor(private readonly problem: (text: string) => void) {}

  /** Resolves after the time a frame waits for its video. */
  static patience(): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, PATIENCE_MS));
  }

  /** The picture of an access unit; `null` when there is none (no decoder, no key frame yet, an error). */
  decode(record: VideoRecord): Promise<VideoFrame | null> {
    if (record.codec !== 0 || typeof VideoDecoder === "undefined") {
      if (!this.#told) {
        this.#told = true;
        this.problem(
          record.codec === 0
            ? "this browser cannot decode video here (WebCodecs needs a recent browser and a secure address)"
            : `video codec ${record.codec} is not known to this viewer`,
        );
      }
      return Promise.resolve(null);
    }
    const area = `${record.x},${record.y},${record.w},${record.h}`;
    let stream = this.#streams.get(area);
    if (stream?.broken) {
      stream.close();
      this.#streams.delete(area);
      stream = undefined;
    }
    if (!stream) {
      const codec = record.key ? avcCodec(record.bytes) : null;
      // Without a key frame there is nothing to decode onto; the next one starts the picture.
      if (!codec) return Promise.resolve(null);
      try {
        stream = new Stream(codec, this.problem);
      } catch (error) {
        this.problem(`the video (${codec}) could not be started: ${String(error)}`);
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
