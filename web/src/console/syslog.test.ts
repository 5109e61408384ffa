import { expect, test } from "vitest";
import { isPrivate, targetFault } from "./syslog";

test("receivers that are none are said before they are sent", () => {
  for (const good of [
    "",
    "local",
    "tls://log.example",
    "tls://log.example:6514",
    "tcp://192.0.2.9:514",
    "udp://[2001:db8::1]:514",
    "udp://2001:db8::1",
  ])
    expect(targetFault(good), good).toBe("");
  for (const bad of [
    "log.example",
    "https://log.example",
    "tls://",
    "tls://a b",
    "udp://log:0",
    "tcp://log:70000",
  ])
    expect(targetFault(bad), bad).not.toBe("");
});

test("what is not encrypted is known", () => {
  expect(["local", "tls://a", "tcp://a", "udp://a"].map(isPrivate)).toEqual([true, true, false, false]);
});
