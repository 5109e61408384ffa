/** The page's side of the screen worker: hands it messages, learns what it showed, asks it for pixels. */
import type { VideoTrouble } from "../wire";
import { type FromWorker, noTiles, type PaintStats, type Part, type ToWorker } from "./messages";

export type RemoteEvents = {
  size(width: number, height: number): void;
  /** `blank`: since the WebSocket opened there has been one colour only. */
  shown(sequence: number, shown: number, blank: boolean): void;
  /** What the window of another monitor shows now. */
  part?(id: number, bitmap: ImageBitmap): void;
  problem(text: string): void;
  /** The video cannot go on by itself. */
  videoTrouble(trouble: VideoTrouble): void;
};

export class RemoteScreen {
  stats: PaintStats = { frames: 0, tiles: noTiles(), decode_ms: 0, broken: 0 };
  /** How long the last probe waited for the worker, milliseconds. */
  workerDelay = 0;
  readonly #worker: Worker;
  readonly #answers = new Map<number, (answer: FromWorker) => void>();
  #next = 0;

  constructor(canvas: HTMLCanvasElement, events: RemoteEvents) {
    this.#worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module", name: "screen" });
    this.#worker.onmessage = ({ data }: MessageEvent<FromWorker>) => {
      switch (data.type) {
        case "size":
          events.size(data.width, data.height);
          break;
        case "shown":
          this.stats = data.stats;
          events.shown(data.sequence, data.shown, data.blank);
          break;
        case "part":
          if (events.part) events.part(data.id, data.bitmap);
          else data.bitmap.close();
          this.#send({ type: "taken", id: data.id });
          break;
        case "problem":
          events.problem(data.text);
          break;
        case "video_trouble":
          events.videoTrouble(data.trouble);
          break;
        case "probed":
          this.workerDelay = performance.now() - data.sent;
          break;
        default:
          this.#answers.get(data.id)?.(data);
          this.#answers.delete(data.id);
      }
    };
    this.#worker.onerror = () =>
      events.problem("the part of this page that draws the screen could not be loaded");
    const offscreen = canvas.transferControlToOffscreen();
    this.#send({ type: "canvas", canvas: offscreen }, [offscreen]);
  }

  message(message: ArrayBuffer): void {
    this.#send({ type: "message", message }, [message]);
  }

  /** The windows of other monitors from now on. */
  parts(parts: Part[]): void {
    this.#send({ type: "parts", parts });
  }

  /** Whether another window shows the picture while this page is hidden. */
  watched(on: boolean): void {
    this.#send({ type: "watched", on });
  }

  reset(): void {
    this.#send({ type: "reset" });
  }

  probe(): void {
    this.#send({ type: "probe", sent: performance.now() });
  }

  async pixel(x: number, y: number): Promise<[number, number, number]> {
    const answer = await this.#ask((id) => ({ type: "pixel", id, x, y }));
    return answer.type === "pixel" ? answer.rgb : [0, 0, 0];
  }

  /** Resolves when everything that was sent so far is on the canvas. */
  async settled(): Promise<void> {
    await this.#ask((id) => ({ type: "settle", id }));
  }

  async snapshot(): Promise<Blob | null> {
    const answer = await this.#ask((id) => ({ type: "snapshot", id }));
    return answer.type === "snapshot" ? answer.png : null;
  }

  #ask(question: (id: number) => ToWorker): Promise<FromWorker> {
    const id = this.#next++;
    return new Promise((resolve) => {
      this.#answers.set(id, resolve);
      this.#send(question(id));
    });
  }

  #send(message: ToWorker, transfer: Transferable[] = []): void {
    this.#worker.postMessage(message, transfer);
  }
}
