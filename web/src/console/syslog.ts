/** What a form says of a receiver of syslog. */

/** RFC 5424's facilities, with the names that daemons' configurations have for them. */
export const FACILITIES = [
  "authpriv",
  "auth",
  "audit",
  "daemon",
  "user",
  "local0",
  "local1",
  "local2",
  "local3",
  "local4",
  "local5",
  "local6",
  "local7",
] as const;

/** What is wrong with a receiver's address, or "". */
export function targetFault(target: string): string {
  if (target === "" || target === "local") return "";
  const [, rest] = target.match(/^(?:tls|tcp|udp):\/\/(.+?)\/?$/) ?? [];
  if (!rest) return "Write tls://HOST, tcp://HOST, udp://HOST or local";
  const [, host, port] = rest.match(/^(\[[0-9a-fA-F:.]+\]|[^\s[\]:/@]+|[0-9a-fA-F:]+)(?::(\d{1,5}))?$/) ?? [];
  if (!host)
    return "Write a host's name or address after the way, and perhaps a port: tls://log.example:6514";
  if (port !== undefined && (Number(port) < 1 || Number(port) > 65_535)) return `${port} is no port`;
  return "";
}

/** Whether messages to it are in nobody else's hands on the way. */
export const isPrivate = (target: string) => target === "local" || target.startsWith("tls://");
