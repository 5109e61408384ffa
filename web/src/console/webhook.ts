/** What a form says of a webhook, and what its row says. */
import type { Schemas } from "../api/client";
import { count, type Tone } from "./words";

type Webhook = Schemas["Webhook"];

/** As many words as a webhook may have (`model::WEBHOOK_EVENTS_MAX`). */
const EVENTS_MAX = 50;

/** Operations as somebody wrote them, with commas, spaces or lines between them. */
export const eventsOf = (text: string): string[] => [...new Set(text.split(/[\s,;]+/).filter(Boolean))];

export function urlFault(url: string): string {
  if (url === "") return "";
  if (!URL.canParse(url)) return "Write a whole address: https://log.example.org/oriel";
  const { protocol, hostname, username, password } = new URL(url);
  if (username || password) return "Leave name and password out: each message is signed instead";
  const loopback = hostname === "localhost" || hostname.startsWith("127.") || hostname === "[::1]";
  if (protocol === "https:" || (protocol === "http:" && loopback)) return "";
  return "Begin it with https:// (http:// is for addresses of the server's own machine)";
}

export function eventsFault(text: string): string {
  const events = eventsOf(text);
  if (events.length > EVENTS_MAX) return `Name at most ${EVENTS_MAX}`;
  const wrong = events.find((word) => !/^(?:[a-z_]+\*?|\*)$/.test(word));
  return wrong
    ? `“${wrong}” is no operation: write them as change_pool, or delete_* for all that begin so`
    : "";
}

export function standing({ behind, failures }: Pick<Webhook, "behind" | "failures">): {
  text: string;
  tone: Tone;
} {
  if (failures > 0) return { text: `Failed ${count(failures, "time")}`, tone: "red" };
  return behind > 0
    ? { text: `${behind} to come`, tone: "blue" }
    : { text: "Told everything", tone: "green" };
}
