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
const ALL = ["rdp", "vnc", "spice", "ssh", "telnet"] as const;

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
      ["vmconnect", "A console of Hyper-V (port 2179)"],
    ],
  },
  {
    name: "authentication",
    of: ["rdp"],
    label: "Authentication",
    help: "Kerberos needs the account's domain in the configuration (kerberos.realms) and the machine's name as its address",
    options: [
      ["", "Kerberos where the domain has it, then NTLM"],
      ["kerberos", "Kerberos only"],
      ["ntlm", "NTLM only"],
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
    name: "wallpaper",
    of: ["rdp"],
    is: "switch",
    label: "Background picture",
    options: [
      ["", "Drawn"],
      ["false", "Left out"],
    ],
  },
  {
    name: "theming",
    of: ["rdp"],
    is: "switch",
    label: "Themes of windows",
    options: [
      ["", "Drawn"],
      ["false", "Left out"],
    ],
  },
  {
    name: "font_smoothing",
    of: ["rdp"],
    is: "switch",
    label: "Smooth text",
    options: [
      ["", "On"],
      ["false", "Off"],
    ],
  },
  {
    name: "full_window_drag",
    of: ["rdp"],
    is: "switch",
    label: "Windows that are moved",
    options: [
      ["", "Show their frame"],
      ["true", "Show their content"],
    ],
  },
  {
    name: "desktop_composition",
    of: ["rdp"],
    is: "switch",
    label: "Transparent windows",
    options: [
      ["", "Off"],
      ["true", "On"],
    ],
  },
  {
    name: "menu_animations",
    of: ["rdp"],
    is: "switch",
    label: "Menus that slide",
    options: [
      ["", "Off"],
      ["true", "On"],
    ],
  },
  {
    name: "sound",
    of: ["rdp"],
    is: "switch",
    label: "Sound",
    options: [
      ["", "Heard, where the pool allows it"],
      ["false", "Not heard"],
    ],
  },
  {
    name: "microphone",
    of: ["rdp"],
    is: "switch",
    label: "Microphone",
    options: [
      ["", "Heard, where the pool allows it and the person turns it on"],
      ["false", "Not heard"],
    ],
  },
  {
    name: "initial_program",
    of: ["rdp"],
    label: "Initial program",
    hint: "C:\\Accounts\\ledger.exe /year 2026",
    help: "Instead of the whole desktop, where the machine allows it",
  },
  { name: "program_folder", of: ["rdp"], label: "Folder it starts in", hint: "C:\\Accounts" },
  {
    name: "remote_app",
    of: ["rdp"],
    label: "RemoteApp",
    hint: "||ledger",
    help: "A single program instead of the whole desktop: its path, or its published name behind ||",
  },
  { name: "remote_app_folder", of: ["rdp"], label: "Folder the RemoteApp starts in", hint: "C:\\Accounts" },
  { name: "remote_app_arguments", of: ["rdp"], label: "Arguments of the RemoteApp", hint: "/year 2026" },
  {
    name: "admin_session",
    of: ["rdp"],
    is: "switch",
    label: "Session",
    options: [
      ["", "One of its own"],
      ["true", "The machine's own screen"],
    ],
  },
  {
    name: "load_balance_info",
    of: ["rdp"],
    label: "Load balancing",
    hint: "tsv://MS Terminal Services Plugin.1.Farm",
    help: "Told to what spreads connections over several machines",
  },
  {
    name: "follow_redirection",
    of: ["rdp"],
    is: "switch",
    label: "Redirection to another machine",
    options: [
      ["", "Followed when load balancing is set"],
      ["true", "Followed"],
      ["false", "Not followed"],
    ],
  },
  {
    name: "preconnection_blob",
    of: ["rdp"],
    label: "Virtual machine or source",
    hint: "b85d3d4c-7f1a-4f62-8e9d-1a5b1f3f5c11",
    help: "Preconnection name; on Hyper-V the GUID of a virtual machine",
  },
  { name: "preconnection_id", of: ["rdp"], is: "number", label: "Number of the source", hint: "7" },
  {
    name: "gateway_host",
    of: ["rdp"],
    label: "RD Gateway",
    hint: "edge.example",
    help: "On the way to the machine, whose address is what the gateway calls it",
  },
  { name: "gateway_port", of: ["rdp"], is: "number", label: "Port of the gateway", hint: "443" },
  {
    name: "gateway_user",
    of: ["rdp"],
    label: "Account on the gateway",
    help: "The machine's account when left empty",
  },
  { name: "gateway_domain", of: ["rdp"], label: "Windows domain of that account" },
  {
    name: "gateway_identity",
    of: ["rdp"],
    label: "SHA-256 of the gateway's certificate",
    hint: "64 hexadecimal digits",
    help: "What it shows at the first connection is kept when this is empty",
  },
  {
    name: "repeater",
    of: ["vnc"],
    label: "Asked of a repeater",
    hint: "10.0.0.7:5900 or ID:42",
    help: "Where the address is an UltraVNC repeater's",
  },
  {
    name: "tls",
    of: ["spice"],
    is: "switch",
    label: "Encryption",
    options: [
      ["", "None: the server's plain port"],
      ["true", "TLS: the server's TLS port"],
    ],
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
    name: "sftp_root",
    of: ["ssh"],
    label: "Files are seen below",
    hint: "/srv/projects; the account's home when empty",
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
    of: ["rdp", "ssh"],
    label: "Time zone",
    hint: "Europe/Berlin",
    help: "The session's clock; over SSH TZ, where the server takes it",
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
  {
    name: "system",
    of: ["redfish"],
    label: "System",
    hint: "System.Embedded.1",
    help: "Its id or name, where the BMC has several machines",
  },
  {
    name: "inside",
    of: ["pikvm", "redfish", "ipmi"],
    label: "The machine inside",
    hint: "workstation",
    help: "A machine here that its system answers as (RDP, VNC, SSH): offered on the same card",
  },
  {
    name: "behind",
    of: ["pikvm"],
    label: "Device with a Switch",
    hint: "kvm",
    help: "A device here at whose Switch the machine is: address, account and certificate are that device's",
  },
  {
    name: "switch_port",
    of: ["pikvm"],
    label: "Port of the Switch",
    hint: "1.3",
    help: "The third of the first unit",
  },
  { name: "terminal_type", of: TERMINALS, label: "Terminal type", hint: "xterm-256color" },
  {
    name: "backspace",
    of: [...TERMINALS, "kubernetes", "ipmi"],
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
  {
    name: "wake_mac",
    of: ALL,
    label: "Wake by network card",
    hint: "52:54:00:12:34:56",
    help: "Wake-on-LAN: sent before a machine that sleeps is opened",
  },
  {
    name: "wake_broadcast",
    of: ALL,
    label: "Wake through",
    hint: "10.1.2.255",
    help: "The broadcast address of its network",
  },
  { name: "wake_port", of: ALL, is: "number", label: "Port for waking", hint: "9" },
  { name: "wake_seconds", of: ALL, is: "number", label: "Wakes up within (seconds)", hint: "120" },
];

/** As the API takes it; empty is left out. */
export function given(parameter: Parameter, text: string): string | number | boolean | undefined {
  const value = text.trim();
  if (!value) return undefined;
  if (parameter.is === "number") return Number(value);
  return parameter.is === "switch" ? value === "true" : value;
}
