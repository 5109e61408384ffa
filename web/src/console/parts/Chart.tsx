/** A small chart over time: lines, round numbers at its sides, and the same in a sentence for those who hear it. */
import { useId } from "react";
import { gist, HEIGHT, lineOf, marksOf, type Point, topOf, WIDTH } from "../chart";

export interface Line {
  name: string;
  tone: "main" | "beside" | "wanted";
  points: Point[];
}

interface Props {
  title: string;
  lines: Line[];
  from: number;
  to: number;
  /** Milliseconds between two points: where more than twice as many lie between, nothing is known. */
  step: number;
  /** The lowest that the top may be. */
  least?: number;
  /** Behind numbers: ` ms`. */
  unit?: string;
  /** Instead of a chart without lines. */
  nothing: string;
}

export function Chart({ title, lines, from, to, step, least = 4, unit = "", nothing }: Props) {
  const id = useId();
  const top = topOf(Math.max(0, ...lines.flatMap(({ points }) => points.map(({ value }) => value))), least);
  const frame = { from, to, top };
  const drawn = lines.filter(({ points }) => points.length > 0);
  if (drawn.length === 0) return <p className="about">{nothing}</p>;
  const said = drawn.map(({ name, points }) => {
    const known = gist(points);
    return known
      ? `${name}: now ${known.last}${unit}, between ${known.least} and ${known.most}${unit}`
      : name;
  });
  return (
    <figure className="chart" aria-labelledby={id}>
      <figcaption id={id} className="pf-v6-screen-reader">
        {title}. {said.join(". ")}.
      </figcaption>
      <div aria-hidden="true">
        <ul className="chart-legend">
          {drawn.map(({ name, tone }) => (
            <li key={name} className={`chart-${tone}`}>
              {name}
            </li>
          ))}
        </ul>
        <div className="chart-field">
          <span className="chart-top">
            {top}
            {unit}
          </span>
          <svg
            className="chart-svg"
            viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
            preserveAspectRatio="none"
            focusable="false"
          >
            <title>{title}</title>
            <path
              className="chart-grid"
              d={`M0 0.5H${WIDTH}M0 ${HEIGHT / 2}H${WIDTH}M0 ${HEIGHT - 0.5}H${WIDTH}`}
            />
            {drawn.map(({ name, tone, points }) => {
              const { line, area } = lineOf(points, frame, step * 2.5);
              return (
                <g key={name} className={`chart-${tone}`}>
                  {tone === "main" && <path className="chart-area" d={area} />}
                  <path className="chart-line" d={line} />
                </g>
              );
            })}
          </svg>
        </div>
        <div className="chart-marks">
          {marksOf(frame).map(({ part, text }) => (
            <span key={text} style={{ insetInlineStart: `${part * 100}%` }}>
              {text}
            </span>
          ))}
        </div>
      </div>
    </figure>
  );
}
