/** What a button does to a machine's power, and how that is seen. No React here. */
import type { Schemas } from "../../../api/client";
import type { paths } from "../../../api/schema";

export type Action =
  paths["/api/v1/machines/{id}/device/power/{action}"]["post"]["parameters"]["path"]["action"];
type Lights = Schemas["DeviceLights"] | null;

/** How long a light may take: machines shut down slowly. */
export const LIGHT_MS = 90_000;

export interface Press {
  action: Action;
  text: string;
  /** What it does to whoever is at the machine: asked about first. */
  loses?: string;
  /** The power light must be on for it. */
  needs: boolean;
  /** What the light shows when it was done; null: it shows nothing of it. */
  light: boolean | null;
  /** What is said where the light shows nothing of it, and where it does not follow; of a device with a picture when left out. */
  unknown?: string;
  unseen?: string;
}

export const POWER: ReadonlyArray<Press> = [
  { action: "on", text: "Power on", needs: false, light: true },
  {
    action: "off",
    text: "Shut down",
    loses: "Its system is told by a short press of the power button, and ends what runs there.",
    needs: true,
    light: false,
  },
  {
    action: "off_hard",
    text: "Cut power",
    loses:
      "The power button is held until power is cut: what is not saved is lost, and its file systems may be damaged.",
    needs: true,
    light: false,
  },
  {
    action: "reset_hard",
    text: "Reset",
    loses: "The reset button is pressed: what is not saved is lost, and its file systems may be damaged.",
    needs: true,
    light: null,
  },
];

/** What a BMC does instead of pressing buttons. */
const BY_BMC: Partial<Record<Action, string>> = {
  off: "Its system is asked to shut down, and ends what runs there.",
  off_hard: "The BMC cuts its power: what is not saved is lost, and its file systems may be damaged.",
  reset_hard: "The BMC restarts it at once: what is not saved is lost, and its file systems may be damaged.",
};

/** The buttons of a device: all of a KVM over IP, those that a BMC has. */
export function presses({ kind, actions }: Pick<Schemas["Device"], "kind" | "actions">): readonly Press[] {
  if (kind === "pikvm") return POWER;
  return POWER.filter((one) => actions.includes(one.action)).map((one) => ({
    ...one,
    ...(one.loses ? { loses: BY_BMC[one.action] ?? one.loses } : {}),
    unknown: "the BMC was told, and shows nothing of it.",
    unseen: "The machine's system may not listen; cutting power always works.",
  }));
}

/** Why a button cannot be pressed, or "". */
export function whyNotPress(lights: NonNullable<Lights>, needs: boolean): string {
  if (!lights.enabled) return "The device is not wired to the machine's buttons";
  if (lights.busy) return "A button is being pressed";
  if (lights.on !== needs) return needs ? "It is off" : "It is on";
  return "";
}

/** A button that was pressed. */
export interface Pressed {
  press: Press;
  at: number;
}

export interface Effect {
  is: "waiting" | "seen" | "unseen" | "unknown";
  text: string;
}

/** What came of it, by the light. */
export function effect({ press, at }: Pressed, lights: Lights, now: number): Effect {
  if (press.light === null || !lights)
    return {
      is: "unknown",
      text: `${press.text}: ${press.unknown ?? "the button was pressed; the picture shows what comes of it."}`,
    };
  const wanted = press.light ? "on" : "off";
  if (lights.on === press.light && !lights.busy)
    return { is: "seen", text: `${press.text}: done, the power light is ${wanted}.` };
  if (now - at < LIGHT_MS)
    return { is: "waiting", text: `${press.text}: waiting for the power light to go ${wanted}.` };
  return {
    is: "unseen",
    text: `${press.text}: the button was pressed, and the power light is still ${lights.on ? "on" : "off"} after ${LIGHT_MS / 1000} seconds. ${press.unseen ?? "Look at the picture, and check the wires to the machine."}`,
  };
}
