import { describe, expect, it } from "vitest";
import { effect, LIGHT_MS, POWER, whyNotPress } from "./power";

const lights = (on: boolean, busy = false) => ({ enabled: true, busy, on, disk: false });
const press = (action: string) => {
  const found = POWER.find((one) => one.action === action);
  if (!found) throw new Error(action);
  return found;
};

describe("a machine's buttons", () => {
  it("say why they cannot be pressed", () => {
    expect(whyNotPress(lights(true), true)).toBe("");
    expect(whyNotPress(lights(false), true)).toBe("It is off");
    expect(whyNotPress(lights(true), false)).toBe("It is on");
    expect(whyNotPress(lights(true, true), true)).toBe("A button is being pressed");
    expect(whyNotPress({ ...lights(true), enabled: false }, true)).toMatch(/not wired/);
  });
  it("are believed by the light", () => {
    const pressed = { press: press("off"), at: 1000 };
    expect(effect(pressed, lights(true), 2000)).toMatchObject({ is: "waiting" });
    expect(effect(pressed, lights(false, true), 2000)).toMatchObject({ is: "waiting" });
    expect(effect(pressed, lights(false), 2000).text).toBe("Shut down: done, the power light is off.");
    expect(effect(pressed, lights(true), 1000 + LIGHT_MS)).toMatchObject({ is: "unseen" });
    expect(effect(pressed, null, 2000)).toMatchObject({ is: "unknown" });
    // The light is on before and after a reset.
    expect(effect({ press: press("reset_hard"), at: 0 }, lights(true), 1)).toMatchObject({ is: "unknown" });
  });
  it("that lose something ask first", () => {
    expect(POWER.filter(({ loses }) => !loses).map(({ action }) => action)).toEqual(["on"]);
  });
});
