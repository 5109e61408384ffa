/**
 * The screen worker: decodes and draws on the page's canvas, away from the page's thread. It takes whole WebSocket
 * messages and picks the records that change pixels. The WebSocket itself stays with the page, so that a key never
 * waits behind a picture.
 *
 * Frames are drawn at once and reported shown one with each animation frame: the server learns how much a display can
 * show, and never makes more. A hidden tab has no animation frames and asks for one picture in {@link HIDDEN_ACK_MS}.
 */
import { decodeServer, SCREEN_TYPES, split } from "../wire";
import type { FromWorker, PaintStats, ToWorker } from "./messages";
import { Painter } from "./painter";
import { Parts } from "./parts";

/** Browsers give hidden pages no animation frames: they acknowledge once in this time. */
const HIDDEN_ACK_MS = 1000;
/** And so often where another window shows the picture. */
const WATCHED_ACK_MS = 16;

const page = self as unknown as {
  postMessage(message: FromWorker, transfer?: Transferable[]): void;
  onmessage: ((event: MessageEvent<ToWorker>) => void) | null;
};

let context: OffscreenCanvasRenderingContext2D | null = null;
let painter: Painter | null = null;
let parts: Parts | null = null;
let watched = false;
let unreported: { sequence: number; shown: number; blank: boolean; stats: PaintStats }[] = [];
let timer: ReturnType<typeof setTimeout> | undefined;

const now = () => performance.timeOrigin + performance.now();

function report(): void {
  clearTimeout(timer);
  timer = undefined;
  const frame = unreported.shift();
  if (frame) page.postMessage({ type: "shown", ...frame });
  if (unreported.length > 0) reportSoon();
}

function reportSoon(): void {
  if (timer !== undefined) return;
  const mine = setTimeout(report, watched ? WATCHED_ACK_MS : HIDDEN_ACK_MS);
  timer = mine;
  requestAnimationFrame(() => {
    if (timer === mine) report();
  });
}

function shown(sequence: number, blank: boolean, stats: PaintStats): void {
  unreported.push({ sequence, shown: now(), blank, stats });
  reportSoon();
}

function start(canvas: OffscreenCanvas): void {
  context = canvas.getContext("2d", { alpha: false });
  if (!context) {
    page.postMessage({ type: "problem", text: "this browser gives no canvas to draw on" });
    return;
  }
  const windows = new Parts(canvas, (id, bitmap) => page.postMessage({ type: "part", id, bitmap }, [bitmap]));
  parts = windows;
  painter = new Painter(context, {
    drawn: (touched) => windows.changed(touched),
    size: (width, height) => page.postMessage({ type: "size", width, height }),
    shown,
    problem: (text) => page.postMessage({ type: "problem", text }),
    videoTrouble: (trouble) => page.postMessage({ type: "video_trouble", trouble }),
  });
}

function take(message: ArrayBuffer): void {
  try {
    for (const raw of split(message)) {
      if (!SCREEN_TYPES.has(raw.type)) continue;
      const record = decodeServer(raw);
      if (record) painter?.record(record);
    }
  } catch (error) {
    page.postMessage({ type: "problem", text: error instanceof Error ? error.message : String(error) });
  }
}

page.onmessage = async ({ data }) => {
  switch (data.type) {
    case "canvas":
      start(data.canvas);
      break;
    case "message":
      take(data.message);
      break;
    case "reset":
      clearTimeout(timer);
      timer = undefined;
      unreported = [];
      painter?.reset();
      break;
    case "parts":
      parts?.set(data.parts);
      break;
    case "taken":
      parts?.taken(data.id);
      break;
    case "watched":
      watched = data.on;
      break;
    case "probe":
      page.postMessage({ type: "probed", sent: data.sent });
      break;
    case "settle":
      await painter?.settled();
      page.postMessage({ type: "settled", id: data.id });
      break;
    case "pixel": {
      const inside =
        context &&
        data.x >= 0 &&
        data.y >= 0 &&
        data.x < context.canvas.width &&
        data.y < context.canvas.height;
      const [r = 0, g = 0, b = 0] = inside ? (context?.getImageData(data.x, data.y, 1, 1).data ?? []) : [];
      page.postMessage({ type: "pixel", id: data.id, rgb: [r, g, b] });
      break;
    }
    case "snapshot": {
      const png = (await context?.canvas.convertToBlob({ type: "image/png" }).catch(() => null)) ?? null;
      page.postMessage({ type: "snapshot", id: data.id, png });
      break;
    }
  }
};
