/**
 * The hidden text area that has the focus while a person types: it gives input methods, dead keys and on-screen
 * keyboards a place to write, and hands on what they wrote.
 */
import type { Keyboard, Platform } from "./keyboard";

/** Something to delete, so that an on-screen keyboard's Backspace makes an event. */
const FILLING = "\u200b\u200b";

export function listenToText(area: HTMLTextAreaElement, keyboard: Keyboard, platform: Platform): void {
  let composed = "";
  const reset = () => {
    composed = "";
    area.value = FILLING;
    area.setSelectionRange(FILLING.length, FILLING.length);
  };
  reset();
  area.addEventListener("focus", reset);

  area.addEventListener("compositionstart", () => {
    composed = "";
    area.classList.add("composing");
  });
  area.addEventListener("compositionend", (event) => {
    area.classList.remove("composing");
    if (platform === "android") catchUp(event.data);
    else keyboard.type(event.data);
    reset();
  });

  /** Android's keyboards compose every word: its letters go at once, and corrections as Backspaces. */
  const catchUp = (text: string) => {
    let same = 0;
    while (same < text.length && text[same] === composed[same]) same += 1;
    for (let extra = [...composed.slice(same)].length; extra > 0; extra -= 1) keyboard.tap("Backspace");
    keyboard.type(text.slice(same));
    composed = text;
  };

  area.addEventListener("input", (event) => {
    const { inputType, data, isComposing } = event as InputEvent;
    if (isComposing || inputType === "insertCompositionText") {
      if (platform === "android") catchUp(data ?? "");
      return;
    }
    if (inputType.startsWith("deleteContentForward")) keyboard.tap("Delete");
    else if (inputType.startsWith("delete")) keyboard.tap("Backspace");
    else if (inputType === "insertLineBreak" || inputType === "insertParagraph") keyboard.tap("Enter");
    else if (inputType.startsWith("insert") && inputType !== "insertFromPaste" && data) keyboard.type(data);
    reset();
  });
}
