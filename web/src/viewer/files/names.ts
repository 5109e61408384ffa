/** Names, sizes and times as people read them. Names come from the machine: they are put on the page as text only. */

const UNITS = ["B", "KB", "MB", "GB", "TB"];

export function size(bytes: number): string {
  let unit = 0;
  let value = bytes;
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 || value >= 99.95 ? Math.round(value) : value.toFixed(1)} ${UNITS[unit]}`;
}

/** What can be told apart is shown; what would steer the page's text (controls, turns of the reading direction) is a box. */
export function shownName(name: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
  return name.replace(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g, "\ufffd");
}

/** "40 s", "3 min", "2 h". */
export function timeLeft(seconds: number): string {
  if (seconds < 90) return `${Math.max(1, Math.ceil(seconds))} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return `${Math.round(seconds / 3600)} h`;
}

/** Why a name cannot be one, as a sentence; empty for one that can. */
export function wrongName(name: string): string {
  if (!name) return "It needs a name.";
  if (name === "." || name === "..") return "This name means a folder already.";
  if (name.includes("/")) return "A name has no slash in it.";
  if (new TextEncoder().encode(name).length > 255) return "This name is too long.";
  return "";
}

/** The name of something in a folder. */
export function join(folder: string, name: string): string {
  return folder ? `${folder}/${name}` : name;
}

export function parent(path: string): string {
  const at = path.lastIndexOf("/");
  return at < 0 ? "" : path.slice(0, at);
}

/** The name of a copy: "a (1).txt". The ending stays, so that the file opens as before. */
export function numbered(name: string, copy: number): string {
  if (copy === 0) return name;
  const end = name.lastIndexOf(".");
  const at = end > 0 ? end : name.length;
  return `${name.slice(0, at)} (${copy})${name.slice(at)}`;
}
