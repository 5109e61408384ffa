/** What a group says of its members' connections, as it is edited: `""` leaves it to the pool. No React here. */
import type { Schemas } from "../../../api/client";

type Policy = Schemas["GroupPolicy"];
type Name = keyof Policy;

export interface Rule {
  name: Name;
  label: string;
  /** Numbers are typed: the most, what 0 means, and the words of the summary. */
  number?: { most: number; never?: string; words: (value: number) => string };
  /** Value, text, and the words of the summary. */
  options?: ReadonlyArray<readonly [value: string, text: string, words: string]>;
}

const may = (name: Name, label: string, yes: string, no: string, words: readonly [string, string]): Rule => ({
  name,
  label,
  options: [
    ["true", yes, words[0]],
    ["false", no, words[1]],
  ],
});

const MINUTES_MAX = 7 * 24 * 60;

export const GROUP_RULES: readonly Rule[] = [
  may("clipboard_to_machine", "Paste into the machine", "Allowed", "Not allowed", ["paste", "no paste"]),
  may("clipboard_to_person", "Copy from the machine", "Allowed", "Not allowed", ["copy", "no copy"]),
  {
    name: "clipboard_kib_max",
    label: "Largest piece of clipboard, in KiB",
    number: { most: 1024, words: (kib) => `clipboard to ${kib} KiB` },
  },
  may("upload", "Files to the machine", "Allowed", "Not allowed", ["upload", "no upload"]),
  may("download", "Files from the machine", "Allowed", "Not allowed", ["download", "no download"]),
  may("sound", "Sound", "Heard", "Not heard", ["sound", "no sound"]),
  may("printing", "Printing", "Comes to the person", "Goes nowhere", ["printing", "no printing"]),
  may("microphone", "Microphone", "Programs may hear the person", "Not heard", [
    "microphone",
    "no microphone",
  ]),
  may("view_only", "Keys and pointer", "Do not reach the machine", "Reach the machine", [
    "view only",
    "with keys",
  ]),
  {
    name: "sharing",
    label: "Sharing",
    options: [
      ["off", "Off: nobody can be invited", "no sharing"],
      ["view", "Guests may watch", "sharing to watch"],
      ["control", "Guests may be given control", "sharing with control"],
    ],
  },
  may(
    "share_guests",
    "Guests without an account",
    "May be invited; the person lets each in",
    "May not be invited",
    ["guests without an account", "no guests without an account"],
  ),
  {
    name: "shadowing",
    label: "Shadowing by admins",
    options: [
      ["off", "Off", "no shadowing"],
      ["ask", "When the person says yes", "shadowing asks"],
      ["tell", "The person is told, not asked", "shadowing without asking"],
    ],
  },
  may("watermark", "Watermark", "Over the picture", "None", ["watermark", "no watermark"]),
  may("recording_keys", "Keys in recordings", "Kept, passwords too", "Not kept", [
    "keys recorded",
    "no keys recorded",
  ]),
  may("recording_clipboard", "Clipboard in recordings", "Kept", "Not kept", [
    "clipboard recorded",
    "no clipboard recorded",
  ]),
  {
    name: "idle_lock_minutes",
    label: "Lock after, in minutes",
    number: { most: MINUTES_MAX, never: "never locks", words: (minutes) => `locks after ${minutes} min` },
  },
  {
    name: "session_minutes_max",
    label: "Longest connection, in minutes",
    number: { most: MINUTES_MAX, never: "without end", words: (minutes) => `ends after ${minutes} min` },
  },
];

export type RulesDraft = Partial<Record<Name, string>>;

export const draftOf = (policy: Policy): RulesDraft =>
  Object.fromEntries(GROUP_RULES.map(({ name }) => [name, policy[name] == null ? "" : String(policy[name])]));

export function faultOf({ number }: Rule, text: string): string {
  if (!number || text.trim() === "") return "";
  const least = number.never ? 0 : 1;
  const good = /^\d{1,5}$/.test(text.trim()) && Number(text) >= least && Number(text) <= number.most;
  return good ? "" : `${least} to ${number.most}, or empty for what the pool says`;
}

/** As the API takes it: what is empty is left out. */
export function policyOf(draft: RulesDraft): Policy {
  const named: Array<[Name, string | number | boolean]> = [];
  for (const { name, number } of GROUP_RULES) {
    const text = (draft[name] ?? "").trim();
    if (text === "") continue;
    named.push([name, number ? Number(text) : text === "true" || text === "false" ? text === "true" : text]);
  }
  return Object.fromEntries(named) as Policy;
}

/** What a group asks of its members at the door. */
export const FACTOR_CHOICES: ReadonlyArray<readonly [Schemas["SecondFactorRule"], string]> = [
  ["optional", "Whoever has set one up is asked for it"],
  ["required", "Everybody sets one up"],
  ["every_time", "Everybody sets one up, and is asked at every sign-in"],
];

export const factorSummary = (rule: Schemas["SecondFactorRule"]): string =>
  ({ optional: "", required: "second factor", every_time: "second factor at every sign-in" })[rule];

/** What is named, in a few words; empty when nothing is. */
export function summary(policy: Policy): string {
  const words = GROUP_RULES.map(({ name, options, number }) => {
    const value = policy[name];
    if (value == null) return "";
    if (number) return (value === 0 && number.never) || number.words(Number(value));
    return options?.find(([one]) => one === String(value))?.[2] ?? "";
  });
  return words.filter(Boolean).join(", ");
}
