/** What is looked for among recordings; asked for when typing rests. */
import { useEffect, useState } from "react";
import { Field } from "../../parts/Field";
import type { RecordingFilter } from "../../queries";

const REST_MS = 300;

export const NOTHING: RecordingFilter = { text: "", user: "", desktop: "", since: "", until: "" };

const DAY = /^\d{4}-\d{2}-\d{2}$/;
const dayFault = (day: string) => (day === "" || DAY.test(day) ? "" : "Write it like 2026-11-28");

export function Filter({ onChange }: { onChange: (filter: RecordingFilter) => void }) {
  const [filter, setFilter] = useState(NOTHING);
  useEffect(() => {
    if (dayFault(filter.since) || dayFault(filter.until)) return;
    const rest = setTimeout(() => onChange(filter), REST_MS);
    return () => clearTimeout(rest);
  }, [filter, onChange]);
  const field = (name: keyof RecordingFilter) => ({
    value: filter[name],
    onChange: (value: string) => setFilter({ ...filter, [name]: value.trim() }),
  });
  return (
    <search className="filter" aria-label="Find recordings">
      <Field label="Find" placeholder="Part of a name" {...field("text")} />
      <Field label="Person" {...field("user")} />
      <Field label="Desktop" {...field("desktop")} />
      <Field label="From (UTC)" placeholder="2026-11-01" fault={dayFault(filter.since)} {...field("since")} />
      <Field label="Before" placeholder="2026-12-01" fault={dayFault(filter.until)} {...field("until")} />
    </search>
  );
}
