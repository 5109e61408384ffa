import { expect, test } from "vitest";
import type { Schemas } from "../../../api/client";
import { hostsOf } from "./hosts";

const pool = { id: "p", size: { sessions: 4 } } as Schemas["Pool"];
const host = (id: string, more: Partial<Schemas["Desktop"]> = {}) =>
  ({
    id,
    name: id,
    pool: { id: "p", name: "office" },
    state: "ready",
    failure: null,
    external: null,
    facts: { image: "debian:2" },
    ...more,
  }) as Schemas["Desktop"];
const place = (of: string, number: number, user: string): Schemas["HostPlace"] => ({
  host: { id: of, name: of },
  number,
  user: { id: user, name: user },
  since: "",
  connected: number === 1,
});

test("hosts are in order, each with its people, and say what is wrong only when something is", () => {
  const rows = hostsOf(
    pool,
    [
      host("office-10", { draining: true }),
      host("office-2", { state: "unreachable", failure: "no route" }),
      host("office-1", { failure: "long ago" }),
      host("other", { pool: { id: "q", name: "lab" } }),
    ],
    [place("office-10", 2, "bob"), place("office-10", 1, "ada"), place("office-1", 1, "cem")],
  );
  expect(rows.map((row) => row.name)).toEqual(["office-1", "office-2", "office-10"]);
  expect(rows.map((row) => row.failure)).toEqual([null, "no route", null]);
  expect(rows[2]).toMatchObject({ draining: true, most: 4, image: "debian:2" });
  expect(rows[2]?.people.map((one) => one.user.name)).toEqual(["ada", "bob"]);
});
