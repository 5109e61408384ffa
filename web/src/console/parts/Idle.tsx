/** What a card shows while there is no screen: the bay window, dark, warming up, or with a warning. */
import { useId } from "react";
import type { Schemas } from "../../api/client";

type Mood = "off" | "warm" | "on" | "bad";

function mood(state: Schemas["Desktop"]["state"]): Mood {
  if (state === "failed" || state === "unreachable") return "bad";
  if (state === "ready" || state === "in_use") return "on";
  if (state === "stopped" || state === "stopping" || state === "deleting") return "off";
  return "warm";
}

export function Idle({ state }: { state: Schemas["Desktop"]["state"] }) {
  const id = useId();
  const now = mood(state);
  return (
    <svg
      viewBox="0 0 320 200"
      preserveAspectRatio="xMidYMid slice"
      className={`idle idle-${now}`}
      aria-hidden="true"
      focusable="false"
    >
      <defs>
        <pattern id={id} width="48" height="32" patternUnits="userSpaceOnUse">
          <path d="M0 .5h48M0 16.5h48M.5 0v16M24.5 16v16" className="idle-stone" />
        </pattern>
      </defs>
      <rect width="320" height="200" className="idle-wall" />
      <rect width="320" height="200" fill={`url(#${id})`} />
      <path d="M104 62 134 34h52l30 28z" className="idle-roof" />
      <g className="idle-panes">
        <path d="M108 66h30v72l-30-9z" />
        <path d="M142 66h36v72h-36z" />
        <path d="M182 66h30v63l-30 9z" />
      </g>
      <path d="m104 134 36 11h40l36-11-14 22-26 16h-32l-26-16z" className="idle-roof" />
      {now === "off" && (
        <path
          d="M160 86v14M149.500 93.500a15 15 0 1 0 21 0"
          className="idle-sign"
          fill="none"
          strokeWidth="4"
          strokeLinecap="round"
        />
      )}
      {now === "bad" && (
        <path
          d="M160 80v28M160 119v1"
          className="idle-sign"
          fill="none"
          strokeWidth="6"
          strokeLinecap="round"
        />
      )}
    </svg>
  );
}
