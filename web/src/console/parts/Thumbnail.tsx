/**
 * The desktop's screen, small and live: asked again every few seconds while the card is in view and the tab is shown; an
 * unchanged screen costs a 304. Drawn on a canvas, so that no `blob:` source is needed.
 */
import { useEffect, useRef, useState } from "react";
import type { Schemas } from "../../api/client";
import { isOn } from "../can";
import { Idle } from "./Idle";

const EVERY_MS = 4_000;

export function Thumbnail({ desktop }: { desktop: Schemas["Desktop"] }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const [shown, setShown] = useState(false);
  const live = isOn(desktop);

  useEffect(() => {
    const surface = canvas.current;
    if (!live || !surface) {
      setShown(false);
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
        const url = `/api/v1/desktops/${encodeURIComponent(desktop.id)}/thumbnail`;
        const got = await fetch(url, { headers, cache: "no-store", signal: stop.signal });
        if (got.status === 200) {
          const picture = await createImageBitmap(await got.blob());
          surface.width = picture.width;
          surface.height = picture.height;
          surface.getContext("2d")?.drawImage(picture, 0, 0);
          picture.close();
          etag = got.headers.get("ETag") ?? "";
          setShown(true);
        }
      } catch {
        // A picture that could not be had is asked for again; the card's state says what is wrong.
      } finally {
        asking = false;
        if (!stop.signal.aborted) timer = setTimeout(() => void ask(), EVERY_MS);
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
  }, [desktop.id, live]);

  return (
    <div className="thumbnail">
      <canvas
        ref={canvas}
        className={shown ? "shown" : ""}
        role="img"
        aria-label={`Screen of ${desktop.name}`}
      />
      {!shown && <Idle state={desktop.state} />}
    </div>
  );
}
