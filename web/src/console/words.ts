/** Words and numbers as people read them: states, sizes, times. No React here. */
import type { Schemas } from "../api/client";

export type DesktopState = Schemas["DesktopState"];
export type Tone = "blue" | "green" | "teal" | "grey" | "orange" | "red" | "purple";

const DESKTOP_STATES: Record<DesktopState, { text: string; tone: Tone }> = {
  requested: { text: "Requested", tone: "blue" },
  placed: { text: "Starting", tone: "blue" },
  provisioning: { text: "Starting", tone: "blue" },
  starting: { text: "Starting", tone: "blue" },
  ready: { text: "Ready", tone: "green" },
  in_use: { text: "In use", tone: "teal" },
  stopping: { text: "Stopping", tone: "grey" },
  stopped: { text: "Off", tone: "grey" },
  recycling: { text: "Recycling", tone: "purple" },
  deleting: { text: "Deleting", tone: "orange" },
  failed: { text: "Failed", tone: "red" },
  unreachable: { text: "Not reachable", tone: "orange" },
};

export function desktopState(state: DesktopState) {
  return DESKTOP_STATES[state] ?? { text: state, tone: "grey" as Tone };
}

const STEPS: Record<Schemas["StartStep"], string> = {
  placing: "Placing",
  cloning: "Cloning the disk",
  booting: "Booting",
  waiting_for_rdp: "Waiting for RDP",
};

export const startStep = (step: Schemas["StartStep"]) => STEPS[step] ?? step;

/** A label that is `us`, `de`, `us(intl)` as XKB names it. */
export const KEYBOARDS: ReadonlyArray<readonly [string, string]> = [
  ["us", "English (US)"],
  ["us(intl)", "English (US, international)"],
  ["gb", "English (UK)"],
  ["de", "German"],
  ["ch", "Swiss German"],
  ["ch(fr)", "Swiss French"],
  ["fr", "French"],
  ["es", "Spanish"],
  ["it", "Italian"],
  ["pt", "Portuguese"],
  ["br", "Portuguese (Brazil)"],
  ["se", "Swedish"],
  ["no", "Norwegian"],
  ["dk", "Danish"],
  ["fi", "Finnish"],
  ["pl", "Polish"],
  ["cz", "Czech"],
  ["jp", "Japanese"],
];

export const KINDS: Record<Schemas["ConnectKind"], { title: string; protocol: string }> = {
  rdp: { title: "Desktop", protocol: "RDP" },
  vnc: { title: "Console", protocol: "VNC" },
  ssh: { title: "Shell", protocol: "SSH" },
};

export const RECORDING_STATES: Record<
  Schemas["RecordingState"],
  { text: string; about: string; tone: Tone }
> = {
  recording: { text: "Recording", about: "It can be played already", tone: "red" },
  ended: { text: "Complete", about: "", tone: "green" },
  cut: {
    text: "Cut off",
    about: "The server or its storage failed; it can be played up to there",
    tone: "orange",
  },
};

export const RECORDING_POLICIES: ReadonlyArray<readonly [Schemas["RecordingPolicy"], string]> = [
  ["off", "Off: nothing is kept"],
  ["ask", "Ask: the person decides at each connection"],
  ["always", "Always: what cannot be recorded is refused"],
];

/** A length of time as players show it: `1:02:03`, `2:03`. */
export function length(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  const two = (value: number) => String(value).padStart(2, "0");
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor(seconds / 60) % 60;
  return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
}

/** What an external machine speaks. */
export const MACHINE_PROTOCOLS: Record<Schemas["MachineProtocol"], { text: string; port: number }> = {
  rdp: { text: "RDP", port: 3389 },
  vnc: { text: "VNC", port: 5900 },
  spice: { text: "SPICE", port: 5900 },
  ssh: { text: "SSH", port: 22 },
  telnet: { text: "Telnet", port: 23 },
  kubernetes: { text: "Kubernetes", port: 6443 },
  pikvm: { text: "PiKVM", port: 443 },
  redfish: { text: "Redfish", port: 443 },
  ipmi: { text: "IPMI", port: 623 },
};

export const GPU_MODES: Record<Schemas["GpuMode"], { text: string; about: string; tone: Tone }> = {
  whole: { text: "Whole", about: "One desktop gets the whole card", tone: "purple" },
  vgpu: { text: "Sliced", about: "Desktops get virtual GPUs of a chosen size", tone: "blue" },
  vf: {
    text: "Virtual functions",
    about: "Desktops get equal parts that the card makes itself",
    tone: "teal",
  },
  shared: { text: "Shared", about: "The host draws for many desktops", tone: "green" },
  host: { text: "Kept by the host", about: "Desktops get nothing of it", tone: "grey" },
};

export const GPU_REGIMES: Record<Schemas["GpuRegime"], string> = {
  same_type: "one profile at a time",
  same_size: "one size at a time",
  mixed_size: "sizes can be mixed",
  mig: "partitions of the card itself",
  free_pool: "any mix while there is room",
};

const GIB = 1024 ** 3;
const MIB = 1024 ** 2;

/** Bytes as people say them, in powers of 1024: `512 MiB`, `1.4 GiB`. */
export function bytes(count: number): string {
  if (count >= 1024 * GIB) return `${trim(count / (1024 * GIB))} TiB`;
  if (count >= GIB) return `${trim(count / GIB)} GiB`;
  if (count >= MIB) return `${trim(count / MIB)} MiB`;
  return `${trim(count / 1024)} KiB`;
}

export const memory = (mib: number) => bytes(mib * MIB);

function trim(value: number): string {
  return value >= 100 ? Math.round(value).toString() : (Math.round(value * 10) / 10).toString();
}

/** How long ago, in words: `just now`, `5 minutes ago`, `in 3 days`. */
export function ago(at: string | null | undefined, now = Date.now()): string {
  const then = at ? Date.parse(at) : Number.NaN;
  if (Number.isNaN(then)) return "never";
  const seconds = Math.round((then - now) / 1000);
  if (Math.abs(seconds) < 10) return "just now";
  const words = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
  for (const [unit, size] of UNITS) {
    if (Math.abs(seconds) >= size) return words.format(Math.trunc(seconds / size), unit);
  }
  return words.format(seconds, "second");
}

const UNITS: ReadonlyArray<readonly [Intl.RelativeTimeFormatUnit, number]> = [
  ["year", 31_536_000],
  ["month", 2_592_000],
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
];

export const count = (n: number, one: string, many = `${one}s`) => `${n} ${n === 1 ? one : many}`;

/** The server's rule for names (`model::Name`); empty when good, else what is wrong. */
export function nameFault(name: string): string {
  if (name === "") return "";
  const good = /^[a-z](?:[a-z0-9]|-(?!-))*$/.test(name) && !name.endsWith("-") && name.length <= 40;
  return good
    ? ""
    : "Use up to 40 lowercase letters, digits and single hyphens, starting with a letter: for example studio-1";
}

export const SHA256 = /^[0-9a-f]{64}$/i;
