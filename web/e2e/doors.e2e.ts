/** Getting in: signing in, a click on a card, tickets. */
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Desktop, differing, fillSignIn, house, measured, plan, Visit } from "./oriel";

const CLICK_MS_MAX = 2_000;
/**
 * On a machine so busy that two seconds are no fair limit: so many times what opening the shell takes at that moment, which
 * goes the same way (page, ticket, connection, the guest's own answer) without a picture.
 */
const SHELLS_MAX = 4;
const TICKET_SECONDS = 30;

let visit: Visit;
let home: Page;
let desktop: Desktop;

beforeAll(async () => {
  visit = await Visit.start();
});
afterAll(() => visit?.close());

it("signs in through the page", async () => {
  home = await visit.page();
  await fillSignIn(home, { name: plan.admin.name, password: "not the password" });
  await home
    .getByText(/wrong|not right|does not/i)
    .first()
    .waitFor();
  await fillSignIn(home, plan.admin);
  await home.getByRole("heading", { name: "My desktops" }).waitFor();
  desktop = await visit.desktop(home);
});

type Sample = { at: number; picture: Promise<Blob | null> };

/** Between two kept pictures: making a PNG of each would slow down what is measured. */
const SAMPLE_EVERY_MS = 150;

/** Keeps what a viewer shows, with the time at which it was shown; of what comes at once, the last. */
const keepPictures = (page: Page) =>
  page.waitForFunction((every) => {
    if (!window.oriel) return false;
    const samples: Sample[] = [];
    Object.assign(window, { samples });
    let seen = -1;
    let next = 0;
    const look = () => {
      const { last_frame, last_sequence } = window.oriel?.marks ?? {};
      if (last_frame && last_sequence !== seen && performance.now() >= next && samples.length < 100) {
        seen = last_sequence ?? -1;
        next = performance.now() + every;
        samples.push({ at: last_frame, picture: window.oriel?.snapshot() ?? Promise.resolve(null) });
      }
      requestAnimationFrame(look);
    };
    look();
    return true;
  }, SAMPLE_EVERY_MS);

/** From the click on the card to the first picture in the new tab that shows (all but) everything, in milliseconds. */
async function click(): Promise<number> {
  await home.bringToFront();
  await home.evaluate(() => {
    const note = () => Object.assign(window, { clicked: performance.timeOrigin + performance.now() });
    addEventListener("click", note, { capture: true, once: true });
  });
  const tab = visit.context.waitForEvent("page");
  await home.getByRole("link", { name: `Open ${desktop.name}: its desktop`, exact: false }).click();
  const page = await tab;
  await keepPictures(page);
  const screen = await visit.watch(page);
  await screen.settled();
  const whole = await screen.picture();
  const clicked = await home.evaluate(() => (window as unknown as { clicked: number }).clicked);
  const times = await page.evaluate(() =>
    (window as unknown as { samples: Sample[] }).samples.map(({ at }) => at),
  );
  for (const [index, at] of times.entries()) {
    const different = differing(whole, await screen.picture(index), 12);
    if (different < whole.grid.length * 0.02) {
      await page.close();
      return at - clicked;
    }
  }
  throw new Error("no picture was kept that shows everything");
}

/** How long opening the shell takes now, in milliseconds. */
async function shell(): Promise<number> {
  const start = Date.now();
  const { page } = await visit.view(desktop, "ssh");
  const took = Date.now() - start;
  await page.close();
  return took;
}

/** Clicks up to five times, until one is quick enough: the machine that emulates the guest draws in the browser, too. */
async function quickEnough(what: string, before: () => Promise<void>): Promise<void> {
  const tries: string[] = [];
  for (let round = 0; round < 5; round += 1) {
    await before();
    const took = await click();
    measured(`click to first full picture, ${what}`, took);
    if (took <= CLICK_MS_MAX) return;
    const reference = await shell();
    measured("opening the shell at that time", reference);
    if (took <= SHELLS_MAX * reference) return;
    tries.push(`${Math.round(took)} ms beside ${reference} ms for the shell`);
  }
  throw new Error(`${what}: too slow: ${tries.join(", ")}`);
}

it("opens a desktop from its card within two seconds", async () => {
  // Somebody was here before: their session runs in the guest.
  await (await visit.view(desktop, "rdp")).settled();
  for (const page of visit.context.pages()) if (page !== home) await page.close();

  await quickEnough("connection still held", async () => {});
  await quickEnough("connection anew", async () => {
    for (const { id, kind } of JSON.parse(await house.oriel("session", "list", "--json")).sessions) {
      if (kind === "rdp") await house.oriel("session", "end", id);
    }
    await home.waitForTimeout(2000);
  });
});

it("sends people who were signed out back to their desktop", async () => {
  const other = await Visit.start();
  const page = await other.page(`/viewer/?desktop=${desktop.id}&kind=ssh`);
  await page.getByRole("link", { name: "Sign in", exact: true }).click();
  await fillSignIn(page, plan.admin);
  await page.waitForURL(`**/viewer/?desktop=${desktop.id}&kind=ssh`);
  await other.watch(page);
  const elsewhere = await other.page("/?next=https://elsewhere.example/viewer/");
  await elsewhere.getByRole("heading", { name: "My desktops" }).waitFor();
  await other.close();
});

/** Asks for a ticket as the viewer does. */
const ticket = (page: Page) =>
  page.evaluate(async (id) => {
    const me = await (await fetch("/api/v1/me")).json();
    const answer = await fetch(`/api/v1/desktops/${id}/connect`, {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-Oriel-Csrf": me.csrf },
      body: JSON.stringify({ kind: "ssh" }),
    });
    return { status: answer.status, path: String((await answer.json()).path) };
  }, desktop.id);

const knock = (page: Page, path: string) =>
  page.evaluate(
    (path) =>
      new Promise<string>((resolve) => {
        const socket = new WebSocket(path);
        socket.onopen = () => {
          socket.onclose = null;
          socket.close();
          resolve("open");
        };
        socket.onclose = () => resolve("refused");
      }),
    path,
  );

it("takes a ticket once only, from its owner only, and not for long", async () => {
  const mine = await ticket(home);
  expect(await knock(home, mine.path)).toBe("open");
  expect(await knock(home, mine.path), "replayed").toBe("refused");

  const other = await Visit.start();
  const stolen = await ticket(home);
  const late = ticket(home);
  const asked = Date.now();
  const stranger = await other.page();
  expect(await knock(stranger, stolen.path), "by somebody who is not signed in").toBe("refused");
  await other.signIn(plan.guest);
  const guest = await other.page();
  expect((await ticket(guest)).status, "of a desktop that is not theirs").toBe(404);
  expect(await knock(guest, stolen.path), "stolen").toBe("refused");
  expect(await knock(home, stolen.path), "by its owner after somebody else had it").toBe("refused");
  await other.close();

  await home.waitForTimeout(TICKET_SECONDS * 1000 + 1000 - (Date.now() - asked));
  expect(await knock(home, (await late).path), "late").toBe("refused");
});

it("made the browser complain of nothing", () => {
  expect(visit.complaints).toEqual([]);
});
