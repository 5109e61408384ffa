/** What can be set of a machine beside address and account; what each does is in docs/external-machines.md. */
import type { Schemas } from "../../../api/client";

type Protocol = Schemas["MachineProtocol"];
export type ParameterName = keyof Schemas["MachineParameters"];

export interface Parameter {
  name: ParameterName;
  of: readonly Protocol[];
  label: string;
  /** Text when left out. */
  is?: "number" | "switch";
  hint?: string;
  help?: string;
  /** Value and text; the first is that of a parameter that is not set. */
  options?: ReadonlyArray<readonly [string, string]>;
}

const TERMINALS = ["ssh", "telnet"] as const;

export const PARAMETERS: readonly Parameter[] = [
  { name: "domain", of: ["rdp"], label: "Windows domain", hint: "WORKSHOP" },
  {
    name: "security",
    of: ["rdp"],
    label: "Security",
    options: [
      ["", "The best that both have"],
      ["nla", "Network level authentication only"],
      ["tls", "TLS only: the machine shows its login"],
    ],
  },
  {
    name: "client_name",
    of: ["rdp"],
    label: "Name for Oriel",
    hint: "oriel",
    help: "In the machine's list of sessions",
  },
  {
    name: "graphics_pipeline",
    of: ["rdp"],
    is: "switch",
    label: "Graphics pipeline",
    options: [
      ["", "Offered: video and progressive pictures"],
      ["false", "Not offered: bitmaps only"],
    ],
  },
  {
    name: "repeater",
    of: ["vnc"],
    label: "Asked of a repeater",
    hint: "10.0.0.7:5900 or ID:42",
    help: "Where the address is an UltraVNC repeater's",
  },
  {
    name: "jpeg_quality",
    of: ["vnc"],
    is: "number",
    label: "JPEG quality",
    options: [
      ["", "No JPEG: every picture without loss"],
      ...[9, 8, 7, 6, 5, 4, 3, 2, 1, 0].map(
        (n) => [String(n), n === 9 ? "9: best" : n === 0 ? "0: smallest" : String(n)] as const,
      ),
    ],
  },
  {
    name: "jump",
    of: ["ssh"],
    label: "Jump host",
    hint: "gate",
    help: "A machine here that speaks SSH; the address is what that one calls it",
  },
  {
    name: "agent_forwarding",
    of: ["ssh"],
    is: "switch",
    label: "The key on the machine",
    options: [
      ["", "Stays here"],
      ["true", "May sign in to others (agent)"],
    ],
  },
  {
    name: "locale",
    of: ["ssh"],
    label: "Language",
    hint: "en_GB.UTF-8",
    help: "LANG, where the server takes it",
  },
  {
    name: "time_zone",
    of: ["ssh"],
    label: "Time zone",
    hint: "Europe/Berlin",
    help: "TZ, where the server takes it",
  },
  {
    name: "command",
    of: ["ssh"],
    label: "Command",
    hint: "tmux attach",
    help: "Instead of the account's shell",
  },
  { name: "pod", of: ["kubernetes"], label: "Pod", hint: "web-0" },
  { name: "namespace", of: ["kubernetes"], label: "Namespace", hint: "default" },
  { name: "container", of: ["kubernetes"], label: "Container", hint: "the pod's default" },
  {
    name: "command",
    of: ["kubernetes"],
    label: "Command",
    hint: "sh",
    help: "What runs in the container already is attached to when this is empty",
  },
  { name: "terminal_type", of: TERMINALS, label: "Terminal type", hint: "xterm-256color" },
  {
    name: "backspace",
    of: [...TERMINALS, "kubernetes"],
    label: "Backspace sends",
    options: [
      ["", "Delete, as on Linux"],
      ["control_h", "Control-H"],
    ],
  },
  {
    name: "user_prompt",
    of: ["telnet"],
    label: "Prompt for the account",
    hint: "login: *$",
    help: "A regular expression, like the next three",
  },
  { name: "password_prompt", of: ["telnet"], label: "Prompt for the password", hint: "(?i)password: *$" },
  { name: "success_pattern", of: ["telnet"], label: "Says when it let in", hint: "[$#] $" },
  { name: "failure_pattern", of: ["telnet"], label: "Says when it did not", hint: "(?i)incorrect" },
];

/** As the API takes it; empty is left out. */
export function given(parameter: Parameter, text: string): string | number | boolean | undefined {
  const value = text.trim();
  if (!value) return undefined;
  if (parameter.is === "number") return Number(value);
  return parameter.is === "switch" ? value === "true" : value;
}
