/** What people may do while they are connected to a pool's desktops. */
import { ExpandableSection, Grid, GridItem } from "@patternfly/react-core";
import type { Schemas } from "../../../api/client";
import { Choice, Field, Tick } from "../../parts/Field";

/** As the API says it, with nothing left out. */
export type Policy = Required<Omit<Schemas["SessionPolicy"], "clipboard" | "files">> & {
  clipboard: Required<Schemas["ClipboardPolicy"]>;
  files: Required<Schemas["FilesPolicy"]>;
};

/** As it is edited: numbers are what was typed. */
export interface RulesDraft extends Omit<Policy, "clipboard" | "idle_lock_minutes" | "session_minutes_max"> {
  clipboard: { to_machine: boolean; to_person: boolean; kib_max: string };
  idle_lock_minutes: string;
  session_minutes_max: string;
}

const MINUTES_MAX = 7 * 24 * 60;
const KIB_MAX = 1024;

export const USUAL_RULES: Policy = {
  clipboard: { to_machine: true, to_person: true, kib_max: KIB_MAX },
  files: { upload: true, download: true },
  sound: true,
  printing: true,
  microphone: false,
  view_only: false,
  sharing: "off",
  share_guests: false,
  shadowing: "ask",
  watermark: false,
  recording_keys: false,
  recording_clipboard: false,
  idle_lock_minutes: null,
  session_minutes_max: null,
};

function whole(policy: Schemas["SessionPolicy"]): Policy {
  return {
    ...USUAL_RULES,
    ...policy,
    clipboard: { ...USUAL_RULES.clipboard, ...policy.clipboard },
    files: { ...USUAL_RULES.files, ...policy.files },
  };
}

export function draftOf(said: Schemas["SessionPolicy"]): RulesDraft {
  const policy = whole(said);
  return {
    ...policy,
    clipboard: { ...policy.clipboard, kib_max: String(policy.clipboard.kib_max) },
    idle_lock_minutes: String(policy.idle_lock_minutes ?? ""),
    session_minutes_max: String(policy.session_minutes_max ?? ""),
  };
}

const minutes = (text: string) => (text.trim() === "" ? null : Number(text));

export function policyOf(draft: RulesDraft): Policy {
  return {
    ...draft,
    clipboard: { ...draft.clipboard, kib_max: Number(draft.clipboard.kib_max) },
    idle_lock_minutes: minutes(draft.idle_lock_minutes),
    session_minutes_max: minutes(draft.session_minutes_max),
  };
}

const within = (text: string, most: number) =>
  /^\d{1,5}$/.test(text) && Number(text) >= 1 && Number(text) <= most;
const minutesFault = (text: string) =>
  text.trim() === "" || within(text.trim(), MINUTES_MAX)
    ? ""
    : `1 to ${MINUTES_MAX} minutes, or empty for never`;
const kibFault = (text: string) => (within(text, KIB_MAX) ? "" : `1 to ${KIB_MAX} KiB`);

/** Empty when all is good. */
export function faultOf(draft: RulesDraft): string {
  return (
    (kibFault(draft.clipboard.kib_max) && "The clipboard's size is out of bounds") ||
    ((minutesFault(draft.idle_lock_minutes) || minutesFault(draft.session_minutes_max)) &&
      "A number of minutes is out of bounds") ||
    ""
  );
}

/** What differs from what is usual, in a few words. */
export function summary(said: Schemas["SessionPolicy"]): string {
  const policy = whole(said);
  const { clipboard, files } = policy;
  const ways = (first: boolean, second: boolean, words: readonly [string, string, string]) =>
    first && second ? "" : first ? words[0] : second ? words[1] : words[2];
  const parts = [
    policy.view_only ? "view only" : "",
    ways(clipboard.to_machine, clipboard.to_person, ["paste only", "copy only", "no clipboard"]),
    clipboard.kib_max < KIB_MAX ? `clipboard to ${clipboard.kib_max} KiB` : "",
    ways(files.upload, files.download, ["upload only", "download only", "no files"]),
    policy.sound ? "" : "no sound",
    policy.printing ? "" : "no printing",
    policy.microphone ? "microphone" : "",
    policy.sharing === "off" ? "" : policy.sharing === "view" ? "sharing to watch" : "sharing with control",
    policy.share_guests ? "guests without an account" : "",
    policy.shadowing === "ask"
      ? ""
      : policy.shadowing === "off"
        ? "no shadowing"
        : "shadowing without asking",
    policy.watermark ? "watermark" : "",
    policy.recording_keys ? "keys recorded" : "",
    policy.recording_clipboard ? "clipboard recorded" : "",
    policy.idle_lock_minutes ? `locks after ${policy.idle_lock_minutes} min` : "",
    policy.session_minutes_max ? `ends after ${policy.session_minutes_max} min` : "",
  ].filter(Boolean);
  return parts.length ? parts.join(", ") : "as usual";
}

type Ways = "both" | "in" | "out" | "off";
const waysOf = (into: boolean, out: boolean): Ways =>
  into && out ? "both" : into ? "in" : out ? "out" : "off";
const isIn = (ways: string) => ways === "both" || ways === "in";
const isOut = (ways: string) => ways === "both" || ways === "out";

export function Rules({ value, onChange }: { value: RulesDraft; onChange: (value: RulesDraft) => void }) {
  const set = (part: Partial<RulesDraft>) => onChange({ ...value, ...part });
  return (
    <ExpandableSection
      toggleText={`Rules for connections: ${faultOf(value) || summary(policyOf(value))}`}
      isIndented
    >
      <div className="rules">
        <Tick
          label="View only"
          value={value.view_only}
          onChange={(view_only) => set({ view_only })}
          help="Keys, pointer and clipboard do not reach the machine"
        />
        <Grid hasGutter sm={6}>
          <GridItem>
            <Choice
              label="Clipboard"
              value={waysOf(value.clipboard.to_machine, value.clipboard.to_person)}
              onChange={(ways) =>
                set({ clipboard: { ...value.clipboard, to_machine: isIn(ways), to_person: isOut(ways) } })
              }
              options={[
                ["both", "Both ways"],
                ["in", "Paste into the machine only"],
                ["out", "Copy from the machine only"],
                ["off", "Off"],
              ]}
            />
          </GridItem>
          <GridItem>
            <Field
              label="Largest piece of clipboard, in KiB"
              type="number"
              min={1}
              max={KIB_MAX}
              value={value.clipboard.kib_max}
              onChange={(kib_max) => set({ clipboard: { ...value.clipboard, kib_max } })}
              fault={kibFault(value.clipboard.kib_max)}
            />
          </GridItem>
          <GridItem>
            <Choice
              label="Files"
              value={waysOf(value.files.upload, value.files.download)}
              onChange={(ways) => set({ files: { upload: isIn(ways), download: isOut(ways) } })}
              options={[
                ["both", "Both ways"],
                ["in", "To the machine only"],
                ["out", "From the machine only"],
                ["off", "Off"],
              ]}
            />
          </GridItem>
          <GridItem>
            <Choice
              label="Sharing"
              value={value.sharing}
              onChange={(sharing) => set({ sharing: sharing as Policy["sharing"] })}
              options={[
                ["off", "Off: nobody can be invited"],
                ["view", "Guests may watch"],
                ["control", "Guests may be given control"],
              ]}
            />
          </GridItem>
          <GridItem>
            <Choice
              label="Shadowing by admins"
              value={value.shadowing}
              onChange={(shadowing) => set({ shadowing: shadowing as Policy["shadowing"] })}
              options={[
                ["off", "Off"],
                ["ask", "When the person says yes"],
                ["tell", "The person is told, not asked"],
              ]}
            />
          </GridItem>
          <GridItem>
            <Field
              label="Lock after, in minutes"
              type="number"
              min={1}
              value={value.idle_lock_minutes}
              onChange={(idle_lock_minutes) => set({ idle_lock_minutes })}
              fault={minutesFault(value.idle_lock_minutes)}
              help="Without a key or a pointer; empty for never"
            />
          </GridItem>
          <GridItem>
            <Field
              label="Longest connection, in minutes"
              type="number"
              min={1}
              value={value.session_minutes_max}
              onChange={(session_minutes_max) => set({ session_minutes_max })}
              fault={minutesFault(value.session_minutes_max)}
              help="The person is warned before; empty for no end"
            />
          </GridItem>
        </Grid>
        <Tick
          label="Guests without an account"
          value={value.share_guests}
          onChange={(share_guests) => set({ share_guests })}
          help="Where sharing is on: a person may send a link to somebody who has no account, and lets them in one by one"
        />
        <Tick
          label="Sound"
          value={value.sound}
          onChange={(sound) => set({ sound })}
          help="The machine is heard"
        />
        <Tick
          label="Printing"
          value={value.printing}
          onChange={(printing) => set({ printing })}
          help="What is printed on the machine comes to the person's browser as a PDF"
        />
        <Tick
          label="Microphone"
          value={value.microphone}
          onChange={(microphone) => set({ microphone })}
          help="Programs on the machine may hear the person, who turns the microphone on for each (RDP)"
        />
        <Tick
          label="Watermark"
          value={value.watermark}
          onChange={(watermark) => set({ watermark })}
          help="The person's name and the time lie over the picture, also over recordings"
        />
        <Tick
          label="Record keys"
          value={value.recording_keys}
          onChange={(recording_keys) => set({ recording_keys })}
          help="Where connections are recorded: everything that is typed, passwords at prompts too. The person is told"
        />
        <Tick
          label="Record the clipboard"
          value={value.recording_clipboard}
          onChange={(recording_clipboard) => set({ recording_clipboard })}
          help="Where connections are recorded: text that is pasted and copied. The person is told"
        />
      </div>
    </ExpandableSection>
  );
}
