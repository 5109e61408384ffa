/**
 * What can be done with a desktop right now; mirrors the broker's rules (crates/broker/src/desktop.rs, ticket.rs).
 * Each answer is the reason why not, or "" when it can: buttons stay visible and say why.
 */
import type { Schemas } from "../api/client";
import { startStep } from "./words";

type Desktop = Schemas["Desktop"];

const STARTING: ReadonlyArray<Desktop["state"]> = ["requested", "placed", "provisioning", "starting"];

export const isStarting = (d: Desktop) => STARTING.includes(d.state);
export const isOn = (d: Desktop) => d.state === "ready" || d.state === "in_use";

/** Something changes by itself: worth looking every two seconds. */
export const isMoving = (d: Desktop) =>
  d.intent === "capture" ||
  isStarting(d) ||
  d.state === "stopping" ||
  d.state === "recycling" ||
  d.state === "deleting";

export const whyNot = {
  /** A stopped desktop is started by opening it; while it starts, the viewer shows the steps and waits. */
  open(d: Desktop): string {
    if (d.state === "failed") return "It failed: see the reason on the card";
    if (d.external && d.kinds.length === 0)
      return d.inside
        ? "A BMC shows no screen: open the machine inside"
        : "A BMC shows no screen, and nothing inside it was entered";
    return busy(d);
  },
  /** The machine's own screen is there from power-on. */
  console(d: Desktop): string {
    if (isStarting(d) && d.state !== "starting") return "It has no screen yet: it is being made";
    return whyNot.open(d);
  },
  shell(d: Desktop): string {
    if (isStarting(d)) return `It is still starting${d.step ? `: ${startStep(d.step).toLowerCase()}` : ""}`;
    return whyNot.open(d);
  },
  start(d: Desktop): string {
    if (isOn(d)) return "It is running";
    if (isStarting(d)) return "It is starting already";
    return busy(d);
  },
  stop(d: Desktop): string {
    if (d.state === "stopped") return "It is off already";
    return busy(d);
  },
  restart(d: Desktop): string {
    if (d.state === "stopped") return "It is off: start it instead";
    if (isStarting(d)) return "It is starting already";
    return busy(d);
  },
  /** Its disk becomes a version of an image. */
  capture(d: Desktop): string {
    if (d.host?.startsWith("cloud:")) return "It stands on a cloud: images are not made there yet";
    if (!isOn(d) && d.state !== "stopped") return busy(d) || "Wait until it is ready or off";
    return busy(d);
  },
  recycle: (d: Desktop): string => (d.state === "failed" ? "" : busy(d)),
  remove: (d: Desktop): string => (d.state === "deleting" ? "It is being deleted already" : ""),
} as const;

function busy(d: Desktop): string {
  if (d.intent === "capture") return "It is being made into an image";
  if (d.state === "stopping") return "It is stopping: wait until it is off";
  if (d.state === "recycling") return "It is being made anew from its image";
  if (d.state === "deleting") return "It is being deleted";
  return "";
}
