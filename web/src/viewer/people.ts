/** Who is in front of the connection, as the page knows it, and how that is said. */
import type { Person } from "./wire";

/** Of who has no account nobody knows whether the name is theirs. */
export const shownName = ({ kind, name }: Person): string => (kind === "visitor" ? `${name} (guest)` : name);

export class People {
  own = 0;
  list: readonly Person[] = [];

  set(own: number, list: readonly Person[]): void {
    this.own = own;
    this.list = list;
  }

  /** A new WebSocket: it tells anew, unless this viewer is alone. */
  clear(): void {
    this.list = [];
  }

  get me(): Person | undefined {
    return this.list.find((person) => person.seat === this.own);
  }

  get owner(): Person | undefined {
    return this.list.find((person) => person.seat === 0);
  }

  get others(): Person[] {
    return this.list.filter((person) => person.seat !== this.own);
  }

  named(seat: number): string {
    const person = this.list.find((person) => person.seat === seat);
    return person ? shownName(person) : "";
  }

  /** For the owner: "Ben watches", "Ben controls, Cleo and Dan watch". Empty when alone. */
  get watching(): string {
    const guests = this.list.filter((person) => person.seat !== 0);
    const some = (control: boolean, one: string, many: string) => {
      const names = guests.filter((person) => person.control === control).map(shownName);
      return names.length === 0 ? [] : [`${enumerate(names)} ${names.length === 1 ? one : many}`];
    };
    return [...some(true, "controls", "control"), ...some(false, "watches", "watch")].join(", ");
  }
}

/** Most guests at once, and as many colours: the numbers of seats go on beyond them. */
const GUESTS_MAX = 8;

/** The class that has a seat's colour. */
export function seatClass(seat: number): string {
  return `seat-${seat === 0 ? 0 : ((seat - 1) % GUESTS_MAX) + 1}`;
}

/** "Ben", "Ben and Cleo", "Ben, Cleo and 2 others". */
export function enumerate(names: readonly string[]): string {
  const [first = "", second = "", ...rest] = names;
  if (names.length <= 1) return first;
  if (rest.length === 0) return `${first} and ${second}`;
  return `${first}, ${second} and ${rest.length} other${rest.length === 1 ? "" : "s"}`;
}
