/** Before somebody without an account knocks: they say under which name. */
import { el, store, stored } from "./dom";

/** Longest name that the server shows. */
const NAME_CHARS_MAX = 40;

/** Resolves when they have said one; it is remembered for the next time. */
export function askName(): Promise<string> {
  const name = el("input", {
    type: "text",
    name: "name",
    autocomplete: "name",
    required: true,
    maxlength: NAME_CHARS_MAX,
    value: stored("guest-name", ""),
  });
  return new Promise((resolve) => {
    const form = el(
      "form",
      {
        submit: (event) => {
          event.preventDefault();
          const said = name.value.trim();
          if (said === "") {
            name.focus();
            return;
          }
          store("guest-name", said);
          page.remove();
          resolve(said);
        },
      },
      el("label", { class: "field" }, "Your name", name),
      el("div", { class: "buttons" }, el("button", { type: "submit", class: "button primary" }, "Knock")),
    );
    const text =
      "You need no account. Whoever sent you the link sees the name that you say here, and lets you in or does not.";
    const card = el(
      "section",
      { class: "card guest" },
      el("h1", {}, "You are invited to a desktop"),
      el("p", { class: "text" }, text),
      form,
    );
    const page = el("div", { class: "waiting" }, card);
    document.body.append(page);
    name.focus();
  });
}
