/** The settings panel: scale, keyboard layout, fingers, terminal. Each setting is kept in this browser. */
import { LAYOUTS } from "../input/layout";
import { el } from "./dom";

export type Choice = readonly [value: string, label: string, hint?: string];

/** One question with a few answers, as radio buttons. */
export function radios(
  legend: string,
  name: string,
  choices: readonly Choice[],
  now: string,
  choose: (value: string) => void,
): HTMLElement {
  const rows = choices.map(([value, label, hint]) => {
    const input = el("input", {
      type: "radio",
      name,
      value,
      checked: value === now,
      change: () => choose(value),
    });
    const text = el("span", {}, label);
    if (hint) text.append(el("small", {}, hint));
    return el("label", { class: "choice" }, input, text);
  });
  return el("fieldset", {}, el("legend", {}, legend), ...rows);
}

export function toggle(label: string, now: boolean, choose: (on: boolean) => void): HTMLElement {
  const input = el("input", {
    type: "checkbox",
    checked: now,
    change: (event) => choose((event.target as HTMLInputElement).checked),
  });
  return el("label", { class: "choice" }, input, el("span", {}, label));
}

/** The layout menu. `guessed` is named in its first line. */
export function layoutMenu(
  now: string,
  choose: (layout: string) => void,
): { element: HTMLElement; guess(layout: string): void } {
  const guess = el("option", { value: "" }, "As this browser says");
  const options = LAYOUTS.map(([value, label]) => el("option", { value }, label));
  const select = el("select", { change: () => choose(select.value) }, guess, ...options);
  select.value = now;
  const element = el("label", { class: "field" }, "Keyboard layout", select);
  return {
    element,
    guess: (layout) => {
      const name = LAYOUTS.find(([value]) => value === layout)?.[1] ?? layout;
      guess.textContent = name ? `As this browser says (${name})` : "As this browser says";
    },
  };
}
