/** Sharing: inviting people with a link, taking invitations back, and who is here with what. For guests only the last. */
import { type Api, ApiError, type ConnectionKind, type GuestRole, type Invite } from "../api";
import { type People, seatClass } from "../people";
import type { Person, PersonKind } from "../wire";
import { el, icon } from "./dom";

export type ShareActions = {
  control(seat: number, on: boolean): void;
  remove(seat: number): void;
};

const TIMES: readonly (readonly [number, string])[] = [
  [15, "15 minutes"],
  [60, "1 hour"],
  [480, "8 hours"],
  [1440, "24 hours"],
];
/** Links for people without an account are open for so long at most. */
const GUEST_MINUTES_MAX = 480;
const PERSON_WORDS: Readonly<Record<PersonKind, string>> = {
  owner: "owner",
  guest: "guest",
  helper: "administrator",
  visitor: "guest, not verified",
};
const ROLES: Readonly<Record<GuestRole, string>> = { view: "watch", control: "control" };

export class SharePanel {
  readonly element = el("div", { class: "share" });
  /** Takes the focus when what had it goes away: without it the next keys would go to the machine. */
  readonly #here = el("ul", { class: "here", tabindex: -1 });
  readonly #alone = el("li", { class: "share-row none" }, "Only you");
  readonly #rows = new Map<number, { said: string; element: HTMLElement }>();
  readonly #invites = el("ul", { class: "invites", tabindex: -1 });
  readonly #link = el("div", { class: "link" });
  readonly #problem = el("p", { class: "problem", role: "alert" });
  readonly #off = el(
    "p",
    { class: "note" },
    "This connection is not shared with others: its pool, or a group of yours, says so.",
  );
  readonly #inviting: HTMLElement[] = [];
  #creating = false;
  /** Whose link stands there. */
  #shown: { invite: string; connection: string } | null = null;
  readonly #role = el(
    "select",
    {},
    el("option", { value: "view" }, "watch"),
    el("option", { value: "control" }, "watch and control"),
  );
  readonly #whom = el(
    "select",
    {},
    el("option", { value: "people" }, "people who are signed in"),
    el("option", { value: "guest" }, "a guest without an account"),
  );
  readonly #whomField = el("label", { class: "field" }, "It is for", this.#whom);
  readonly #time = el("select", {}, ...TIMES.map(([minutes, words]) => option(minutes, words)));

  constructor(
    private readonly api: Api,
    private readonly connection: () => string,
    readonly kind: ConnectionKind,
    private readonly guest: boolean,
    private readonly actions: ShareActions,
  ) {
    if (!guest) {
      this.#time.value = "60";
      this.#whomField.hidden = true;
      this.#whom.addEventListener("change", () => this.#bound());
      const create = el("button", { type: "submit", class: "button primary create" }, "Create a link");
      const form = el(
        "form",
        {
          submit: (event) => {
            event.preventDefault();
            void this.#create();
          },
        },
        this.#whomField,
        el("label", { class: "field" }, "People with the link may", this.#role),
        el("label", { class: "field" }, "It is open for", this.#time),
        create,
      );
      const head = el("h2", {}, "Invite");
      this.#inviting.push(head, form);
      this.element.append(head, form, this.#problem, this.#link, this.#off);
      this.element.append(el("h2", { class: "of-invites" }, "Open invitations"), this.#invites);
    }
    this.element.append(el("h2", {}, "Here now"), this.#here);
    this.#listInvites([]);
    this.#problem.hidden = true;
    this.#off.hidden = true;
  }

  /** The pool's rules; until they are known it may. */
  set mayInvite(may: boolean) {
    for (const part of this.#inviting) part.hidden = !may;
    this.#off.hidden = may || this.guest;
  }

  /** Also people without an account; until the rules are known it may not. */
  set mayInviteGuests(may: boolean) {
    this.#whomField.hidden = !may;
    if (!may) this.#whom.value = "people";
    this.#bound();
  }

  get #forGuest(): boolean {
    return this.#whom.value === "guest";
  }

  /** Offers no longer time than the server gives. */
  #bound(): void {
    for (const one of this.#time.options)
      one.disabled = this.#forGuest && Number(one.value) > GUEST_MINUTES_MAX;
    if (this.#forGuest && Number(this.#time.value) > GUEST_MINUTES_MAX)
      this.#time.value = String(GUEST_MINUTES_MAX);
  }

  /** The panel was opened. */
  shown(): void {
    this.#keepLink();
    if (!this.guest) void this.#refresh();
  }

  people(people: People): void {
    this.#keepLink();
    const at = document.activeElement;
    const inside = at !== null && this.#here.contains(at);
    for (const [seat, { element }] of this.#rows) {
      if (people.list.some((person) => person.seat === seat)) continue;
      element.remove();
      this.#rows.delete(seat);
    }
    // Rows that say the same stay as they are: a press between two records would miss its button.
    people.list.forEach((person, place) => {
      const own = person.seat === people.own;
      const said = JSON.stringify([person, own]);
      const kept = this.#rows.get(person.seat);
      if (kept?.said === said) return;
      const element = this.#person(person, own);
      const act = kept?.element.contains(at) ? at?.getAttribute("data-act") : null;
      if (kept) kept.element.replaceWith(element);
      else this.#here.insertBefore(element, this.#here.children[place] ?? null);
      this.#rows.set(person.seat, { said, element });
      if (act) element.querySelector<HTMLElement>(`[data-act="${act}"]`)?.focus();
    });
    if (people.list.length === 0) this.#here.append(this.#alone);
    else this.#alone.remove();
    if (inside && !this.#here.contains(document.activeElement)) this.#here.focus();
  }

  #person(person: Person, own: boolean): HTMLElement {
    const kind = PERSON_WORDS[person.kind];
    const state = !person.here ? "away" : person.control ? "controls" : "watches";
    const words = el("span", { class: "who" }, person.name || "Somebody", own ? " (you)" : "");
    words.append(el("small", {}, person.kind === "owner" && person.here ? kind : `${kind}, ${state}`));
    const row = el(
      "li",
      { class: "share-row" },
      el("span", { class: `disc ${seatClass(person.seat)}`, "aria-hidden": "true" }),
      words,
    );
    if (this.guest || person.seat === 0) return row;
    const { seat, control } = person;
    if (person.may_control || control) {
      const label = control ? "Take control back" : "Give control";
      row.append(
        el(
          "button",
          {
            type: "button",
            class: "button slim",
            "data-act": "control",
            click: () => this.actions.control(seat, !control),
          },
          label,
        ),
      );
    }
    const away = el("button", {
      type: "button",
      class: "plain",
      "data-act": "remove",
      title: `Send ${person.name} away`,
      "aria-label": `Send ${person.name} away`,
      click: () => this.actions.remove(seat),
    });
    away.append(icon("close"));
    row.append(away);
    return row;
  }

  async #create(): Promise<void> {
    // Not by disabling its button, which would lose the focus.
    if (this.#creating) return;
    this.#creating = true;
    try {
      const role: GuestRole = this.#role.value === "control" ? "control" : "view";
      const connection = this.connection();
      const made = await this.api.invite(connection, role, Number(this.#time.value), this.#forGuest);
      this.#say("");
      this.#shown = { invite: made.invite.id, connection };
      this.#showLink(new URL(made.path, location.href).href, made.invite);
      this.#keepLink();
      await this.#refresh();
    } catch (error) {
      this.#say(problem(error));
    } finally {
      this.#creating = false;
    }
  }

  #showLink(address: string, { role, guests }: Invite): void {
    const field = el("input", {
      type: "text",
      readonly: true,
      value: address,
      "aria-label": "The invitation’s link",
    });
    field.addEventListener("focus", () => field.select());
    const copy = el("button", { type: "button", class: "button" }, "Copy");
    copy.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(address);
        copy.textContent = "Copied";
      } catch {
        // Browsers that let no page write copy what is selected.
        field.select();
      }
    });
    const note = guests
      ? `Whoever has this link says a name and knocks, and may ${ROLES[role]} when you say yes; one at a time. It is not shown again.`
      : `Whoever is signed in here and has this link may ${ROLES[role]}. It is not shown again.`;
    this.#link.replaceChildren(el("div", { class: "row" }, field, copy), el("p", { class: "note" }, note));
  }

  /** A link leads to one connection: after it, it only seems to be one. */
  #keepLink(): void {
    if (this.#shown && this.#shown.connection !== this.connection()) this.#dropLink();
  }

  #dropLink(): void {
    this.#shown = null;
    this.#link.replaceChildren();
  }

  async #refresh(): Promise<void> {
    try {
      this.#listInvites(await this.api.invites(this.connection()));
    } catch (error) {
      this.#say(problem(error));
    }
  }

  #listInvites(invites: readonly Invite[]): void {
    const at = document.activeElement;
    const inside = at !== null && this.#invites.contains(at);
    this.element.querySelector(".of-invites")?.toggleAttribute("hidden", invites.length === 0);
    this.#invites.replaceChildren(
      ...invites.map((invite) => {
        const until = new Date(invite.expires_at);
        const time = until.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
        const words = el("span", { class: "who" }, invite.role === "control" ? "Watch and control" : "Watch");
        if (invite.guests) words.append(", a guest without an account");
        words.append(el("small", {}, until.getTime() > Date.now() ? `until ${time}` : "has expired"));
        const withdraw = el(
          "button",
          { type: "button", class: "button slim", "data-invite": invite.id },
          "Withdraw",
        );
        let asked = false;
        withdraw.addEventListener("click", async () => {
          // Not by disabling it, which would lose the focus.
          if (asked) return;
          asked = true;
          try {
            await this.api.revoke(this.connection(), invite.id);
            if (this.#shown?.invite === invite.id) this.#dropLink();
          } catch (error) {
            this.#say(problem(error));
          }
          await this.#refresh();
          asked = false;
        });
        return el("li", { class: "share-row" }, words, withdraw);
      }),
    );
    if (!inside) return;
    // Where what had it is gone, the list has it: the next keys are not the machine's.
    const id = at.getAttribute("data-invite");
    const buttons = [...this.#invites.querySelectorAll("button")];
    (buttons.find((one) => one.getAttribute("data-invite") === id) ?? this.#invites).focus();
  }

  #say(text: string): void {
    this.#problem.textContent = text;
    this.#problem.hidden = text === "";
  }
}

function option(value: number, words: string): HTMLOptionElement {
  return el("option", { value }, words);
}

function problem(error: unknown): string {
  if (!(error instanceof ApiError)) return String(error);
  const text = error.detail || error.title;
  const next = error.nextStep ? ` ${error.nextStep.charAt(0).toUpperCase()}${error.nextStep.slice(1)}.` : "";
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.${next}`;
}
