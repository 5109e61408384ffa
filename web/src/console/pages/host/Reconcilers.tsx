import { Label } from "@patternfly/react-core";
import type { Schemas } from "../../../api/client";
import { sentence } from "../../../api/problem";
import { When } from "../../parts/When";

/** Each brings what is nearer to what should be, again and again. */
export function Reconcilers({ list }: { list: Schemas["Reconciler"][] }) {
  if (list.length === 0) return <p className="about">None runs yet.</p>;
  return (
    <ul className="reconcilers" aria-label="Background work">
      {list.map((r) => (
        <li key={r.name}>
          <div className="reconciler-head">
            <strong>{r.name}</strong>
            <Label isCompact color={r.last_error ? "red" : r.runs > 0 ? "green" : "grey"}>
              {r.last_error ? "Failing" : r.runs > 0 ? "Fine" : "Not run yet"}
            </Label>
          </div>
          <p className="about">
            Ran {r.runs.toLocaleString("en")} times, last <When at={r.last_run_at} />
            {r.last_duration_ms !== null && ` for ${Math.max(1, Math.round(r.last_duration_ms))} ms`}; at
            least every {r.period_seconds} s.
          </p>
          {r.progress && <p className="about">{sentence(r.progress)}</p>}
          {r.last_error && <p className="error-text wrap">{sentence(r.last_error)}</p>}
        </li>
      ))}
    </ul>
  );
}
