/** Parts of a start or a log-on, each with how long it took and how much of the whole that was. */
import type { Schemas } from "../../../api/client";
import { PHASES, share, span, whole } from "../../session";

interface Props {
  phases: Schemas["SessionPhase"][];
  label: string;
  nothing: string;
}

export function Phases({ phases, label, nothing }: Props) {
  if (phases.length === 0) return <p className="about">{nothing}</p>;
  const all = whole(phases);
  return (
    <>
      <ol className="phases" aria-label={label}>
        {phases.map((phase) => (
          <li key={phase.kind} className="phase">
            <span>{PHASES[phase.kind]}</span>
            <meter min={0} max={1} value={share(phase, phases)} aria-hidden="true" />
            <span className="numbers">
              {phase.seconds === null ? (
                <time dateTime={phase.at}>{new Date(phase.at).toLocaleTimeString()}</time>
              ) : (
                span(phase.seconds)
              )}
            </span>
          </li>
        ))}
      </ol>
      {all !== null && <p className="about">{span(all)} altogether.</p>}
    </>
  );
}
