/**
 * A small picture that is asked for again and again while it is in view and the tab is shown; one that has not changed costs a 304.
 * Drawn on a canvas, so that no `blob:` source is needed.
 */
import { type RefObject, useEffect, useState } from "react";
import { isProblemBody } from "../../api/problem";

interface Asks {
  /** Where; nothing is asked without one. */
  url: string;
  everyMs: number;
  /** The last picture stays when there is none any more: what a person left is what they come back to. */
  keeps: boolean;
}

export interface Picture {
  shown: boolean;
  /** Why there is none, in the server's words, or "". */
  why: string;
}

const NONE: Picture = { shown: false, why: "" };

export function usePicture(
  canvas: RefObject<HTMLCanvasElement | null>,
  { url, everyMs, keeps }: Asks,
): Picture {
  const [picture, setPicture] = useState(NONE);

  useEffect(() => {
    const surface = canvas.current;
    if (!url || !surface) {
      setPicture(NONE);
      return;
    }
    let etag = "";
    let timer: ReturnType<typeof setTimeout> | undefined;
    let inView = false;
    let asking = false;
    const stop = new AbortController();

    const ask = async () => {
      clearTimeout(timer);
      if (asking || stop.signal.aborted || !inView || document.hidden) return;
      asking = true;
      try {
        const headers: HeadersInit = etag ? { "If-None-Match": etag } : {};
        const got = await fetch(url, { headers, cache: "no-store", signal: stop.signal });
        if (got.status === 200) {
          const image = await createImageBitmap(await got.blob());
          surface.width = image.width;
          surface.height = image.height;
          surface.getContext("2d")?.drawImage(image, 0, 0);
          image.close();
          etag = got.headers.get("ETag") ?? "";
          setPicture({ shown: true, why: "" });
        } else if (got.status !== 304 && !keeps) {
          const body: unknown = await got.json().catch(() => null);
          etag = "";
          setPicture({ shown: false, why: isProblemBody(body) ? body.detail : "" });
        }
      } catch {
        // A picture that could not be had is asked for again; the state beside it says what is wrong.
      } finally {
        asking = false;
        if (!stop.signal.aborted) timer = setTimeout(() => void ask(), everyMs);
      }
    };
    const watcher = new IntersectionObserver((entries) => {
      inView = entries.some((entry) => entry.isIntersecting);
      void ask();
    });
    watcher.observe(surface.parentElement ?? surface);
    const again = () => void ask();
    document.addEventListener("visibilitychange", again);
    return () => {
      stop.abort();
      clearTimeout(timer);
      watcher.disconnect();
      document.removeEventListener("visibilitychange", again);
    };
  }, [canvas, url, everyMs, keeps]);

  return picture;
}
