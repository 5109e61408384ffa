/** What a pool is for, and what it keeps ready. */
import { Grid, GridItem } from "@patternfly/react-core";
import type { Schemas } from "../../../api/client";
import { Choice, Field } from "../../parts/Field";

export type Kind = Exclude<Schemas["PoolKind"], "external">;

export interface SizeDraft {
  kind: Kind;
  min: string;
  running: string;
  stopped: string;
  back: string;
  /** Most people on one session host. */
  sessions: string;
  /** Whether one session host is filled before the next. */
  fill: boolean;
  /** What the form does not show stays as it was. */
  rest: Pick<Schemas["PoolSize"], "parallel" | "per_minute" | "percent" | "settle_seconds">;
}

export const FRESH_SIZE: SizeDraft = {
  kind: "dedicated",
  min: "0",
  running: "0",
  stopped: "0",
  back: "5",
  sessions: "10",
  fill: false,
  rest: { parallel: 4, per_minute: 20, percent: 100, settle_seconds: 0 },
};

export const KINDS: ReadonlyArray<readonly [Kind, string]> = [
  ["dedicated", "Dedicated: one person each; who asks first keeps it"],
  ["floating", "Floating: anyone gets a free one; it is made anew when they have left"],
  ["ephemeral", "Ephemeral: made for who asks, deleted when they have left"],
  ["session_host", "Session hosts: many people on each at once, who sign in as themselves"],
];

export function draftOf(pool: Schemas["Pool"]): SizeDraft {
  const {
    min = 0,
    running_spares = 0,
    stopped_spares = 0,
    return_minutes = 5,
    sessions = 10,
    fill = false,
    ...rest
  } = pool.size;
  return {
    kind: pool.kind === "external" ? "dedicated" : pool.kind,
    min: String(min),
    running: String(running_spares),
    stopped: String(stopped_spares),
    back: String(return_minutes),
    sessions: String(sessions),
    fill,
    rest,
  };
}

export const sizeOf = (draft: SizeDraft): Schemas["PoolSize"] => ({
  ...draft.rest,
  min: Number(draft.min),
  running_spares: Number(draft.running),
  stopped_spares: Number(draft.stopped),
  return_minutes: Number(draft.back),
  sessions: draft.kind === "session_host" ? Number(draft.sessions) : 10,
  fill: draft.kind === "session_host" && draft.fill,
});

const RULES = [
  ["fewest", "The host with the fewest people"],
  ["fill", "The fullest host that has a place"],
] as const;

const THEN: Record<Kind, string> = {
  dedicated: "",
  floating: "it is made anew for others",
  ephemeral: "it is deleted with all that is in it",
  session_host: "the place is somebody else's",
};

const number = (text: string) => (/^\d{1,5}$/.test(text) ? "" : "A whole number, 0 or more");

/** Why it cannot be saved, or "". */
export function faultOf(draft: SizeDraft, most: string): string {
  if ([draft.min, draft.running, draft.stopped, draft.back].some(number))
    return "A spare is not a whole number";
  const shares = draft.kind === "session_host";
  if (shares && (number(draft.sessions) || Number(draft.sessions) < 1 || Number(draft.sessions) > 500))
    return "People on a host: 1 to 500";
  // Running spares of session hosts are places.
  const running = Math.ceil(Number(draft.running) / (shares ? Number(draft.sessions) : 1));
  const kept = Math.max(Number(draft.min), running, Number(draft.stopped));
  return kept > Number(most) ? "It cannot keep more ready than it may hold" : "";
}

interface Props {
  value: SizeDraft;
  onChange: (value: SizeDraft) => void;
  /** Its kind is chosen once. */
  fixed: boolean;
}

export function Spares({ value, onChange, fixed }: Props) {
  const set = (part: Partial<SizeDraft>) => onChange({ ...value, ...part });
  const waits = value.kind !== "dedicated";
  const shares = value.kind === "session_host";
  return (
    <>
      {!fixed && (
        <Choice
          label="For whom"
          value={value.kind}
          onChange={(kind) => set({ kind: kind as Kind })}
          options={KINDS}
        />
      )}
      <Grid hasGutter sm={6}>
        <GridItem>
          <Field
            label={shares ? "Free places" : "Running spares"}
            type="number"
            min={0}
            value={value.running}
            onChange={(running) => set({ running })}
            fault={number(value.running)}
            help={shares ? "On hosts that run, for who comes next" : "Ready for who comes next"}
          />
        </GridItem>
        <GridItem>
          <Field
            label="Stopped spares"
            type="number"
            min={0}
            value={value.stopped}
            onChange={(stopped) => set({ stopped })}
            fault={number(value.stopped)}
            help="Made, and off: they take no memory"
          />
        </GridItem>
        <GridItem>
          <Field
            label={shares ? "Least hosts" : "Least desktops"}
            type="number"
            min={0}
            value={value.min}
            onChange={(min) => set({ min })}
            fault={number(value.min)}
          />
        </GridItem>
        {shares && (
          <>
            <GridItem>
              <Field
                label="People on a host"
                type="number"
                min={1}
                value={value.sessions}
                onChange={(sessions) => set({ sessions })}
                fault={number(value.sessions)}
              />
            </GridItem>
            <GridItem>
              <Choice
                label="Who comes gets"
                value={value.fill ? "fill" : "fewest"}
                onChange={(rule) => set({ fill: rule === "fill" })}
                options={RULES}
              />
            </GridItem>
          </>
        )}
        {waits && (
          <GridItem>
            <Field
              label="Waits for its person, in minutes"
              type="number"
              min={0}
              value={value.back}
              onChange={(back) => set({ back })}
              fault={number(value.back)}
              help={`After they left or were cut off; then ${THEN[value.kind]}`}
            />
          </GridItem>
        )}
      </Grid>
    </>
  );
}
