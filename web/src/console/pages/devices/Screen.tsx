/** What a machine shows, about once a second. All who look cost its device one picture a second together. */
import { useRef } from "react";
import { sentence } from "../../../api/problem";
import { usePicture } from "../../parts/usePicture";

const EVERY_MS = 1_000;

interface Props {
  machine: { id: string; name: string };
  /** Why there is no picture for this person, or "". */
  locked: string;
  /** Beside the wall's other pictures it fills its frame; alone it is shown whole. */
  whole?: boolean;
}

export function Screen({ machine, locked, whole }: Props) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const url = locked ? "" : `/api/v1/machines/${encodeURIComponent(machine.id)}/device/picture?wait=false`;
  const { shown, why } = usePicture(canvas, { url, everyMs: EVERY_MS, keeps: false });
  const says = locked || (why && sentence(why)) || "Waiting for a picture";

  return (
    <div className={whole ? "thumbnail whole" : "thumbnail"}>
      <canvas
        ref={canvas}
        className={shown ? "shown" : ""}
        role="img"
        aria-label={`What ${machine.name} shows`}
      />
      {!shown && <p className="no-picture">{says}</p>}
    </div>
  );
}
