/** How secrets are sealed, in words. */
import type { Schemas } from "../api/client";
import { count, type Tone } from "./words";

type Secrets = Schemas["Secrets"];
type SealKey = Schemas["SealKey"];

/** What a key is for. */
export function role(key: SealKey): { text: string; tone: Tone } {
  if (key.seals) return { text: "Seals", tone: "green" };
  if (!key.here) return { text: "Missing", tone: "red" };
  return key.count > 0 ? { text: "Opens", tone: "blue" } : { text: "Not needed", tone: "grey" };
}

/** `3 recordings, 1 cloud`, or that there is nothing. */
export const sealedWith = (key: SealKey) =>
  key.of.length === 0
    ? "Nothing is sealed with it"
    : key.of.map((one) => `${one.count.toLocaleString("en")} of ${one.what}`).join(", ");

/** Why everything cannot be sealed anew now, or "". */
export function whyNotAnew(secrets: Secrets): string {
  const newest = secrets.keys[0];
  if (!newest) return "There is no key";
  if (secrets.operation && ["queued", "running"].includes(secrets.operation.state))
    return "It is being done already";
  const without = secrets.programs.filter((one) => !one.keys.includes(newest.key));
  if (without.length > 0)
    return `Not every program has the newest key yet: ${without.map((one) => one.program).join(", ")}`;
  if (secrets.keys.every((key) => key.seals || key.count === 0))
    return "Everything is sealed with the newest key; add another one first";
  return "";
}

/** What somebody must do something about, or "". */
export function trouble(secrets: Secrets): string {
  const missing = secrets.keys.filter((key) => !key.here).reduce((sum, key) => sum + key.count, 0);
  if (missing > 0) return `${count(missing, "secret")} cannot be opened: the key is not here`;
  if (secrets.damaged > 0) return `${count(secrets.damaged, "secret")} cannot be opened: damaged`;
  return "";
}
