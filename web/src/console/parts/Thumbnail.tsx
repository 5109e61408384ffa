/** The desktop's screen, small and live: asked again every few seconds. */
import { useRef } from "react";
import type { Schemas } from "../../api/client";
import { isOn } from "../can";
import { Idle } from "./Idle";
import { usePicture } from "./usePicture";

const EVERY_MS = 4_000;

export function Thumbnail({ desktop }: { desktop: Schemas["Desktop"] }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const url = isOn(desktop) ? `/api/v1/desktops/${encodeURIComponent(desktop.id)}/thumbnail` : "";
  const { shown } = usePicture(canvas, { url, everyMs: EVERY_MS, keeps: true });

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
