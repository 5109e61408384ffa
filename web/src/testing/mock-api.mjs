// A stand-in for `oriel serve`: /api/v1 from memory and the built pages, under the strictest content security policy.
//
//   node src/testing/mock-api.mjs [--port N] [--dist FOLDER]
//
// Who signs in decides what is seen; the password is "password" for all (any other is refused):
//   admin        a house with everything in it          mira         a person with desktops
//   fresh-admin  an admin where nothing was made yet    empty        a person without desktops
//   newcomer     must change the password first         too-many     has tried too often
//   two-factor   must show a second factor (123456)     must-enrol   must set one up (123456)
//   locked       has touched no desktop for too long              auditor, helpdesk   have these roles
//   locked-elsewhere   the same, and has no password here
//   broken       an admin whose lists all fail          slow         an admin whose lists never come
// Names that are refused: "taken" (user), "refused" (pool, image, token, desktop).
import { createHash, randomUUID } from "node:crypto";
import { existsSync, readFileSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { dashboard, sessionDetail } from "./dashboard.mjs";
import { asTile, answer as ofDevice, portOf } from "./devices.mjs";
import {
  asDesktop,
  CLOUD_FINDINGS,
  CLOUD_OFFER,
  cloud,
  desktop,
  externalMachine,
  HARDWARE,
  house,
  id,
  operation,
  POLICY,
  rollout,
  STEPS,
  steps,
} from "./fixture.mjs";
import { gpuFindings, gpuPlan } from "./gpus.mjs";
import { PERMISSIONS } from "./permissions.mjs";
import { picture } from "./picture.mjs";
import { answer as ofRecording } from "./recordings.mjs";

const TYPES = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  ".woff2": "font/woff2",
};
const STEP_MS = 1_500;
const BODY_BYTES_MAX = 64 * 1024;

class Refusal extends Error {
  constructor(status, code, detail, next = "") {
    super(detail);
    this.status = status;
    this.body = {
      type: "about:blank",
      title: TITLES[status] ?? "Refused",
      status,
      code,
      detail,
      next_step: next,
    };
  }
}
const TITLES = {
  400: "Bad request",
  401: "Not signed in",
  403: "Not allowed",
  404: "Not found",
  409: "Conflict",
  422: "Not usable",
  429: "Too many attempts",
  500: "Internal error",
};
const refused = (what) =>
  new Refusal(409, "refused", `${what} was refused by the mock`, 'choose another name than "refused"');
const gone = (what) => new Refusal(404, "not_found", `there is no such ${what}`, "reload the list");

export function startMock({ port = 0, dist }) {
  const sessions = new Map();
  const server = createServer((request, response) => {
    handle(request, response).catch((error) => {
      if (!(error instanceof Refusal)) console.error(error);
      const body = error.body ?? new Refusal(500, "internal", String(error)).body;
      send(response, body.status, body, "application/problem+json");
    });
  });

  async function handle(request, response) {
    const url = new URL(request.url, "http://mock");
    response.setHeader(
      "Content-Security-Policy",
      "default-src 'self'; base-uri 'none'; frame-ancestors 'none'",
    );
    if (!url.pathname.startsWith("/api/")) return serveFile(dist, url.pathname, response);
    const path = url.pathname.replace("/api/v1", "");
    const body = await readBody(request);
    const key = /__Host-oriel=([^;]+)/.exec(request.headers.cookie ?? "")?.[1];
    const session = key ? sessions.get(key) : undefined;

    if (path === "/health") return send(response, 200, { status: "ok", version: "mock" });
    if (path === "/sign-in/oidc") return send(response, 200, { providers: [{ id: "7", name: "Studio ID" }] });
    // Everybody is refused there, and comes back at once.
    if (path === "/sign-in/oidc/7" || path === "/sign-in/oidc/Studio%20ID") {
      const sign = body.next.includes("?") ? "&" : "?";
      return send(response, 200, { url: `${body.next}${sign}refused=provider_denied` });
    }
    if (path === "/login") {
      if (body.name === "too-many")
        throw new Refusal(
          429,
          "too_many_attempts",
          "too many attempts for this name",
          "wait a minute, then try again",
        );
      if (body.password !== "password")
        throw new Refusal(
          401,
          "bad_credentials",
          "the name or the password is wrong",
          "check both; capital letters count",
        );
      const fresh = randomUUID();
      const made = {
        csrf: randomUUID(),
        who: body.name,
        house: house(body.name),
        moves: new Map(),
        machines: new Map(),
        born: Date.now(),
      };
      sessions.set(fresh, made);
      response.setHeader("Set-Cookie", `__Host-oriel=${fresh}; Path=/; Secure; HttpOnly; SameSite=Strict`);
      return send(response, 200, me(made));
    }
    if (!session) throw new Refusal(401, "not_signed_in", "nobody is signed in here", "sign in");
    if (request.method !== "GET" && request.headers["x-oriel-csrf"] !== session.csrf)
      throw new Refusal(403, "bad_csrf", "the change did not come from our page", "reload the page");
    if (path === "/logout") {
      sessions.delete(key);
      return send(response, 204);
    }
    if (path === "/me") return send(response, 200, me(session));
    if (path === "/me/password") {
      if (body.current !== "password")
        throw new Refusal(
          422,
          "bad_credentials",
          "the current password is wrong",
          "type the one you signed in with",
        );
      session.house.me.must_change_password = false;
      return send(response, 204);
    }
    if (path === "/me/unlock") {
      if (body.password !== "password")
        throw new Refusal(401, "bad_credentials", "the name or the password is not right", "try again");
      session.house.me.locked = false;
      return send(response, 204);
    }
    if (path.startsWith("/me/second-factor") || path.startsWith("/me/browsers/"))
      return send(response, ...secondFactor(session, request.method, path, body));
    if (session.house.me.step !== "done")
      throw new Refusal(403, "second_factor_needed", "your second factor is missing", "show it");
    if (session.house.me.locked)
      throw new Refusal(403, "locked", "this browser is locked", "enter your password");
    if (session.house.me.must_change_password)
      throw new Refusal(403, "password_change_required", "the password must be changed first", "change it");
    if (session.who === "broken" && request.method === "GET")
      throw new Refusal(500, "store_failed", "the database did not answer", "look at the server's log");
    if (session.who === "slow" && request.method === "GET") return undefined;
    tick(session);
    return route(session, request, response, path, url, body);
  }

  function route(session, request, response, path, url, body) {
    const it = session.house;
    const [, noun, key, verb, sub] = path.split("/");
    const is = (method, ...shape) =>
      request.method === method &&
      path.split("/").length === shape.length + 1 &&
      shape.every((part, n) => part === "*" || part === path.split("/")[n + 1]);
    const ok = (value) => send(response, 200, value);
    const admin = it.me.role !== "user";
    if (
      request.method !== "GET" &&
      ["auditor", "helpdesk"].includes(it.me.role) &&
      noun !== "tokens" &&
      !(it.me.role === "helpdesk" && noun === "sessions")
    )
      throw new Refusal(403, "admin_only", "your role does not give you this", "ask an administrator");
    const find = (list, what) => list.find((x) => x.id === key) ?? raise(gone(what));
    const by = { id: it.me.id, name: it.me.name };
    const ofPools = (ids = []) =>
      it.pools.filter((pool) => ids.includes(pool.id)).map((pool) => ({ id: pool.id, name: pool.name }));
    const asGroup = (group) => ({
      ...group,
      pools: it.pools
        .filter((pool) => pool.groups.some((g) => g.id === group.id))
        .map((pool) => ({ id: pool.id, name: pool.name })),
    });

    if (is("GET", "desktops")) {
      const all = admin && url.searchParams.get("all") === "true";
      const shared = (d) =>
        d.external &&
        !d.owner &&
        it.pools.some((p) => p.id === d.pool.id && p.users.some((u) => u.id === it.me.id));
      return ok({ desktops: it.desktops.filter((d) => all || d.owner?.id === it.me.id || shared(d)) });
    }
    if (is("POST", "desktops")) {
      if (body.name === "refused") throw refused("the desktop");
      const pool = it.pools.find((p) => p.id === body.pool) ?? raise(gone("pool"));
      const owner = it.users.find((u) => u.id === body.owner);
      pool.desktops += 1;
      const made = desktop(body.name ?? `${pool.name}-${pool.desktops}`, pool, owner, {
        state: pool.cloud ? "ready" : "requested",
        created_at: new Date().toISOString(),
        ...(pool.cloud ? { host: `cloud:${pool.cloud.cloud.name}` } : {}),
      });
      it.desktops.push(made);
      if (!pool.cloud) session.moves.set(made.id, { to: "ready", since: Date.now() });
      return send(response, 201, made);
    }
    if (is("GET", "desktops", "*", "thumbnail"))
      return thumbnail(find(it.desktops, "desktop"), request, response);
    if (noun === "desktops" && key) {
      const d = find(it.desktops, "desktop");
      if (is("GET", "desktops", "*")) return ok(d);
      if (is("DELETE", "desktops", "*")) {
        d.state = "deleting";
        session.moves.set(d.id, { to: "gone", since: Date.now() });
        return send(response, 202, d);
      }
      if (verb === "drive") return ofDrive(d, request.method, path, { url, body, ok, response });
      if (["machine", "resize", "migrate", "snapshots"].includes(verb)) {
        const pool = it.pools.find((p) => p.id === d.pool.id);
        const kept = session.machines.get(d.id) ?? { host: "compute-1", state: "settled", snapshots: [] };
        session.machines.set(d.id, kept);
        if (verb === "machine")
          return ok({
            flavor: "m1.small",
            pool_flavor: pool?.cloud?.flavor ?? null,
            host_lost: false,
            doing: null,
            ...kept,
          });
        if (verb === "snapshots" && request.method === "POST" && body.name)
          kept.snapshots.push({
            name: body.name,
            created_at: new Date().toISOString(),
            bytes: 3 * 2 ** 30,
            whole: true,
            foreign: false,
          });
        if (verb === "snapshots" && request.method === "DELETE")
          kept.snapshots = kept.snapshots.filter((one) => one.name !== sub);
        if (verb === "migrate") kept.host = body.to ?? "compute-2";
        if (verb === "resize" && !sub)
          Object.assign(kept, { flavor: pool?.cloud?.flavor, state: "unconfirmed" });
        if (verb === "resize" && sub) kept.state = "settled";
        return send(
          response,
          202,
          operation("desktop", `${verb} desktop ${d.name}`, by, { created_at: new Date().toISOString() }),
        );
      }
      if (verb === "capture")
        return send(
          response,
          202,
          operation("image_capture", `make image ${body.image} from desktop ${d.name}`, by, {
            created_at: new Date().toISOString(),
          }),
        );
      if (verb === "connect")
        return ok({ ticket: "mock", kind: body.kind, path: "/api/v1/connect/mock", expires_in_seconds: 30 });
      d.failure = null;
      const off = verb === "stop" || verb === "cut";
      if (off) d.state = "stopping";
      else d.state = verb === "recycle" ? "recycling" : "requested";
      session.moves.set(d.id, { to: off ? "stopped" : "ready", since: Date.now() });
      return send(response, 202, d);
    }

    if (noun === "tokens") {
      if (is("GET", "tokens")) return ok({ tokens: it.tokens });
      if (is("POST", "tokens")) {
        if (body.label === "refused") throw refused("the token");
        const ends = body.expires_in_days
          ? new Date(Date.now() + body.expires_in_days * 86_400_000).toISOString()
          : null;
        const made = {
          id: id(),
          label: body.label,
          created_at: new Date().toISOString(),
          expires_at: ends,
          read_only: body.read_only === true,
          permissions: body.permissions ?? null,
        };
        it.tokens.push(made);
        return send(response, 201, { ...made, token: "oriel_5Jp2xTq0mock0mock0mock0mock0mock0" });
      }
      it.tokens = it.tokens.filter((t) => t.id !== key);
      return send(response, 204);
    }

    if (is("GET", "me", "pools")) {
      const own = it.pools.filter((p) => p.kind !== "external" && p.users.some((u) => u.id === it.me.id));
      const has = (p) => it.desktops.find((d) => d.pool.id === p.id && d.owner?.id === it.me.id);
      const named = (d) => (d ? { id: d.id, name: d.name } : null);
      return ok({
        pools: own.map((p) => ({ id: p.id, name: p.name, kind: p.kind, desktop: named(has(p)) })),
      });
    }
    if (is("POST", "pools", "*", "take")) {
      const pool = find(it.pools, "pool");
      pool.desktops += 1;
      const me = it.users.find((u) => u.id === it.me.id);
      const made = desktop(`${pool.name}-${pool.desktops}`, pool, me, { state: "ready" });
      it.desktops.push(made);
      return ok(made);
    }

    if (is("GET", "me", "bookings")) {
      const bookings = it.bookings.filter((b) => b.person.id === it.me.id);
      const may = it.pools.filter((p) => p.users.some((u) => u.id === it.me.id) && bookingsOf(it, p) !== 0);
      const pools = may.map((p) => ({
        pool: { id: p.id, name: p.name },
        most: bookingsOf(it, p),
        hours: 8,
        days: 30,
      }));
      return ok({ bookings, pools });
    }
    if (is("GET", "bookings")) {
      const wanted = new URL(request.url, "http://mock").searchParams.get("pool");
      const may = (b) => admin || b.person.id === it.me.id;
      const bookings = it.bookings.filter((b) => may(b) && (!wanted || b.pool.id === wanted));
      return ok({ bookings, next: null });
    }
    if (is("GET", "pools", "*", "bookings")) {
      const pool = find(it.pools, "pool");
      const query = new URL(request.url, "http://mock").searchParams;
      const [from, to] = [Date.parse(query.get("from")), Date.parse(query.get("to"))];
      const hours = [];
      for (let at = from; at < to && hours.length < 744; at += 3_600_000) {
        const end = Math.min(at + 3_600_000, to);
        const meets = (b) => b.pool.id === pool.id && Date.parse(b.from) < end && Date.parse(b.to) > at;
        const [begin, over] = [at, end].map((moment) => new Date(moment).toISOString());
        hours.push({ from: begin, to: over, booked: it.bookings.filter(meets).length });
      }
      return ok({ desktops: pool.desktops_max, hours });
    }
    if (is("POST", "pools", "*", "bookings")) {
      const pool = find(it.pools, "pool");
      const meets = (b) => b.pool.id === pool.id && b.from < body.to && b.to > body.from;
      if (it.bookings.filter(meets).length >= pool.desktops_max)
        throw new Refusal(
          409,
          "booked_out",
          `all ${pool.desktops_max} desktops of ${pool.name} are booked at some time of that`,
          "choose another time, or a shorter one",
        );
      const made = {
        id: randomUUID(),
        pool: { id: pool.id, name: pool.name },
        person: { id: it.me.id, name: it.me.name },
        from: body.from,
        to: body.to,
      };
      it.bookings.push(made);
      it.bookings.sort((a, b) => a.from.localeCompare(b.from));
      return send(response, 201, made);
    }
    if (is("DELETE", "bookings", "*")) {
      const gone = find(it.bookings, "booking");
      it.bookings = it.bookings.filter((b) => b !== gone);
      return send(response, 204);
    }
    if (is("GET", "me", "quota")) return ok(quotaOf(it, it.me));

    if (!admin) throw new Refusal(403, "admin_only", "this is for admins", "ask an admin");
    if (is("GET", "personal-disks")) return ok({ personal_disks: it.disks });
    if (noun === "personal-disks") {
      const disk = find(it.disks, "personal disk");
      if (request.method === "GET")
        return ok({
          disk,
          used_bytes: 3 << 20,
          snapshots: [{ name: "monday", created_at: disk.created_at }],
          export_bytes: null,
        });
      if (disk.desktop)
        throw new Refusal(409, "personal_disk_in_use", `it is in ${disk.desktop.name}`, "shut it down first");
      if (request.method === "DELETE" && !verb) it.disks = it.disks.filter((one) => one !== disk);
      if (request.method === "PATCH") disk.size_gib = body.size_gib;
      return send(response, 202, it.operations[0]);
    }
    if (is("GET", "quotas")) return ok({ quotas: it.quotas });
    if (is("GET", "users", "*", "quota")) return ok(quotaOf(it, find(it.users, "user")));
    if (is("PUT", "quotas", "everyone") || is("DELETE", "quotas", "everyone") || verb === "quota") {
      const of = noun === "quotas" ? "everyone" : noun.slice(0, -1);
      const found = of === "everyone" ? null : find(it[noun], of);
      const named = found && { id: found.id, name: found.name };
      it.quotas = it.quotas.filter((one) => one.of !== of || one.named?.id !== named?.id);
      if (request.method === "DELETE") return send(response, 204);
      const made = { of, named, limits: body.limits };
      it.quotas.push(made);
      return ok(made);
    }
    if (is("GET", "users")) return ok({ users: it.users });
    if (is("POST", "users")) {
      if (it.users.some((u) => u.name === body.name) || body.name === "taken")
        throw new Refusal(
          409,
          "name_taken",
          `there is a user named ${body.name} already`,
          "choose another name",
        );
      const made = {
        id: id(),
        name: body.name,
        role: body.role,
        pools: ofPools(body.pools),
        disabled: false,
        must_change_password: true,
        second_factor: false,
        passkeys: 0,
        directory: null,
        provider: null,
        groups: [],
        created_at: new Date().toISOString(),
      };
      it.users.push(made);
      return send(response, 201, { user: made, one_time_password: "brick-lantern-quiet-harbour" });
    }
    if (noun === "users") {
      const u = find(it.users, "user");
      if (verb === "second-factor") {
        u.second_factor = false;
        return send(response, 204);
      }
      if (request.method === "DELETE") {
        if (it.desktops.some((d) => d.owner?.id === u.id))
          throw new Refusal(
            409,
            "user_has_desktops",
            `${u.name} still has desktops`,
            "delete or reassign them first",
          );
        it.users = it.users.filter((x) => x !== u);
        return send(response, 204);
      }
      if (typeof body.disabled === "boolean") u.disabled = body.disabled;
      if (body.role) {
        u.role = body.role;
        u.pools = ofPools(body.pools);
      }
      if (body.reset_password) u.must_change_password = true;
      return ok({ user: u, one_time_password: body.reset_password ? "copper-window-gentle-river" : null });
    }
    if (is("GET", "audit")) {
      const q = url.searchParams;
      const wanted = it.audit.filter(
        (row) =>
          (!q.get("actor") || row.actor_name === q.get("actor")) &&
          (!q.get("action") || row.action === q.get("action")) &&
          (!q.get("target") || row.target.includes(q.get("target"))) &&
          (q.get("refused") !== "true" || row.outcome >= 400) &&
          (!q.get("before") || row.seq < Number(q.get("before"))),
      );
      const entries = wanted.slice(0, 100);
      return ok({ entries, next: wanted.length > 100 ? entries.at(-1).seq : null });
    }
    if (is("GET", "audit", "check")) {
      const [newest] = it.audit;
      return ok({
        rows: newest.seq,
        head: `${newest.seq}:${newest.hash}`,
        sound: true,
        printing: true,
        broken_at: null,
        why: null,
      });
    }
    if (is("GET", "groups")) return ok({ groups: it.groups.map(asGroup) });
    if (is("POST", "groups")) {
      if (it.groups.some((g) => g.name === body.name))
        throw new Refusal(
          409,
          "name_taken",
          `there is a group named ${body.name} already`,
          "choose another name",
        );
      const made = {
        id: id(),
        about: "",
        policy: {},
        second_factor: "optional",
        members: [],
        created_at: new Date().toISOString(),
        ...body,
      };
      it.groups.push(made);
      return send(response, 201, asGroup(made));
    }
    if (noun === "groups") {
      const group = find(it.groups, "group");
      if (verb === "members") {
        const who = it.users.find((u) => u.id === sub) ?? raise(gone("user"));
        group.members = group.members.filter((u) => u.id !== sub);
        who.groups = who.groups.filter((g) => g.id !== group.id);
        if (request.method === "PUT") {
          group.members.push({ id: who.id, name: who.name });
          who.groups.push({ id: group.id, name: group.name });
        }
        return send(response, 204);
      }
      if (request.method === "DELETE") {
        it.groups = it.groups.filter((g) => g !== group);
        for (const pool of it.pools) pool.groups = pool.groups.filter((g) => g.id !== group.id);
        for (const who of it.users) who.groups = who.groups.filter((g) => g.id !== group.id);
        return send(response, 204);
      }
      return ok(asGroup(Object.assign(group, body)));
    }
    if (is("GET", "directories")) return ok({ directories: it.directories });
    if (is("POST", "directories")) {
      const { password, ...of } = body;
      const made = {
        id: id(),
        enabled: true,
        has_password: Boolean(password),
        people: 0,
        created_at: new Date().toISOString(),
        ...of,
      };
      it.directories.push(made);
      return send(response, 201, made);
    }
    if (noun === "directories") {
      const directory = find(it.directories, "directory");
      if (verb === "test") return ok(askDirectory(it, body));
      if (request.method === "DELETE") {
        it.directories = it.directories.filter((one) => one !== directory);
        return send(response, 204);
      }
      const { password, ...of } = body;
      return ok(Object.assign(directory, of, password ? { has_password: true } : {}));
    }
    if (is("GET", "providers")) return ok({ providers: it.providers });
    if (is("POST", "providers")) {
      const { secret, ...of } = body;
      const made = {
        id: id(),
        enabled: true,
        has_secret: Boolean(secret),
        people: 0,
        callback_path: "/api/v1/sign-in/oidc/8/callback",
        created_at: new Date().toISOString(),
        ...of,
      };
      it.providers.push(made);
      return send(response, 201, made);
    }
    if (noun === "providers") {
      const provider = find(it.providers, "provider");
      if (verb === "test") return ok(askProvider(provider));
      if (request.method === "DELETE") {
        it.providers = it.providers.filter((one) => one !== provider);
        return send(response, 204);
      }
      const { secret, ...of } = body;
      return ok(Object.assign(provider, of, secret ? { has_secret: true } : {}));
    }
    if (is("GET", "images")) return ok({ images: it.images });
    if (is("GET", "recipes")) return ok({ recipes: it.recipes });
    if (is("POST", "images", "build") || is("POST", "images", "import")) {
      const name = body.name ?? body.recipe;
      if (name === "refused") throw refused("the image");
      const made = operation(
        key === "build" ? "image_build" : "image_import",
        `${key === "build" ? "Build" : "Import"} image ${name}`,
        by,
        {
          created_at: new Date().toISOString(),
        },
      );
      it.operations.push(made);
      session.moves.set(made.id, { to: "done", since: Date.now(), name });
      return send(response, 202, made);
    }
    if (is("DELETE", "images", "*")) {
      const image = find(it.images, "image");
      if (it.pools.some((p) => p.image?.id === image.id))
        throw new Refusal(
          409,
          "image_in_use",
          `a pool makes its desktops from ${image.name}`,
          "give the pool another image",
        );
      it.images = it.images.filter((x) => x !== image);
      return send(response, 204);
    }
    if (is("GET", "pools")) return ok({ pools: it.pools });
    if (is("POST", "pools")) {
      if (body.name === "refused") throw refused("the pool");
      const external = body.kind === "external";
      const of = external ? null : (it.images.find((i) => i.id === body.image) ?? raise(gone("image")));
      const made = {
        vcpus: 0,
        memory_mib: 0,
        disk_gib: 0,
        network: { kind: "user" },
        kind: "dedicated",
        size: it.pools[0]?.size,
        hours: it.pools[0]?.hours,
        leaving: it.pools[0]?.leaving,
        now: { is_peak: true, changes_at: null, size: body.size ?? it.pools[0]?.size },
        cloud: null,
        personal_disk: null,
        count: { used: 0, ready: 0, on_their_way: 0, stopped: 0, failed: 0 },
        rollout: null,
        ...body,
        id: id(),
        ...(body.cloud ? { cloud: placeOf(it, body.cloud) } : {}),
        image: of && { id: of.id, name: of.name, version: of.version },
        gpu: body.gpu?.mode === "none" ? null : (body.gpu ?? null),
        hardware: { ...HARDWARE, ...body.hardware },
        policy: { ...POLICY, ...body.policy },
        desktops: 0,
        users: [],
        groups: [],
        created_at: new Date().toISOString(),
      };
      it.pools.push(made);
      return send(response, 201, made);
    }
    if (is("GET", "pools", "*", "machines"))
      return ok({ machines: it.machines.filter((m) => m.pool.id === key) });
    if (is("POST", "pools", "*", "machines")) {
      if (body.name === "refused") throw refused("the machine");
      if (body.host.startsWith("10."))
        throw new Refusal(
          409,
          "address_not_allowed",
          `${body.host} is a private address, which Oriel does not dial unless the configuration allows it`,
          `set external.allow = ["${body.host}/32"] in oriel.toml, or allow its whole network`,
        );
      const pool = find(it.pools, "pool");
      pool.desktops += 1;
      const { password, private_key, passphrase: _, owner, port, ...rest } = body;
      const made = externalMachine(body.name, pool, body.protocol, body.host, {
        ...rest,
        ...(port ? { port } : {}),
        has_password: Boolean(password),
        has_private_key: Boolean(private_key),
        owner: it.users.find((u) => u.id === owner) ?? null,
      });
      it.machines.push(made);
      it.desktops.push(asDesktop(made));
      if (body.parameters?.behind) it.devices.push(portOf(made, pool, it.devices));
      return send(response, 201, made);
    }
    if (is("GET", "devices")) return ok({ devices: it.devices.map(asTile) });
    if (noun === "machines" && verb === "device") {
      const of = it.devices.find(({ tile }) => tile.id === key) ?? raise(gone("machine"));
      if (sub === "picture") {
        if (!of.device?.video || !of.device.power.on)
          throw new Refusal(
            409,
            "no_picture",
            "the device has no picture: no video signal",
            "check its cable",
          );
        return thumbnail({ name: of.tile.name, state: "in_use" }, request, response);
      }
      const refuse = (...said) => new Refusal(...said);
      const [status, value] =
        ofDevice(of, request, path.split("/"), { url, body, refuse }) ?? raise(gone("device"));
      return send(response, status, value);
    }
    if (noun === "machines") {
      const found = find(it.machines, "machine");
      if (verb === "identity") {
        const shown = found.protocol === "rdp" ? "b".repeat(64) : found.identity;
        return ok({ pinned: found.identity, shown, same: found.identity === shown });
      }
      if (request.method === "DELETE") {
        it.machines = it.machines.filter((m) => m !== found);
        it.desktops = it.desktops.filter((d) => d.id !== found.id);
        for (const p of it.pools) if (p.id === found.pool.id) p.desktops -= 1;
        return send(response, 204);
      }
      if (request.method === "PATCH") {
        const { password, private_key, passphrase: _, ...rest } = body;
        Object.assign(found, rest);
        if (password) found.has_password = true;
        if (private_key) found.has_private_key = true;
      }
      return ok(found);
    }
    if (noun === "pools") {
      const pool = find(it.pools, "pool");
      if (verb === "rollout" || verb === "rollback") {
        const changed = changeRollout(it, pool, request.method, verb, sub, body);
        return changed === null ? send(response, 204) : send(response, 200, changed);
      }
      if (verb === "users") {
        pool.users = pool.users.filter((u) => u.id !== sub);
        const who = it.users.find((u) => u.id === sub);
        if (request.method === "PUT" && who) pool.users.push({ id: who.id, name: who.name });
        return send(response, 204);
      }
      if (verb === "groups") {
        pool.groups = pool.groups.filter((g) => g.id !== sub);
        const group = it.groups.find((g) => g.id === sub);
        if (request.method === "PUT" && group) pool.groups.push({ id: group.id, name: group.name });
        return send(response, 204);
      }
      if (request.method === "DELETE") {
        it.pools = it.pools.filter((p) => p !== pool);
        return send(response, 204);
      }
      const { image: _, ...rest } = body;
      Object.assign(pool, rest);
      if (pool.gpu?.mode === "none") pool.gpu = null;
      return ok(pool);
    }
    if (is("GET", "operations")) return ok({ operations: it.operations });
    if (noun === "operations") {
      const o = find(it.operations, "operation");
      if (verb === "cancel") {
        o.state = "cancelled";
        session.moves.delete(o.id);
      } else {
        o.state = "queued";
        o.error = null;
        session.moves.set(o.id, { to: "done", since: Date.now(), name: "resumed" });
      }
      return send(response, 202, o);
    }
    if (is("GET", "sessions")) return ok({ sessions: it.sessions });
    if (is("GET", "sessions", "*")) return ok(sessionDetail(it, find(it.sessions, "session")));
    if (is("POST", "sessions", "*", "message")) {
      if (find(it.sessions, "session").viewers === 0)
        throw new Refusal(409, "nobody_there", "nobody looks at this connection", "wait until they are back");
      return send(response, 204);
    }
    if (is("DELETE", "sessions", "*")) {
      it.sessions = it.sessions.filter((s) => s.id !== key);
      return send(response, 204);
    }
    if (is("GET", "recordings")) {
      const said = (name) => url.searchParams.get(name) ?? "";
      const names = (r) => [r.desktop.name, r.user.name, r.pool.name].join(" ").toLowerCase();
      const found = it.recordings.filter(
        (r) =>
          names(r).includes(said("text").toLowerCase()) && (!said("user") || said("user") === r.user.name),
      );
      // Pages of three, so that there are some.
      const from = Number(said("cursor"));
      const page = found.slice(from, from + 3).map(({ content: _, ...recording }) => recording);
      return ok({ recordings: page, next: from + 3 < found.length ? String(from + 3) : null });
    }
    if (noun === "recordings") {
      const recording = find(it.recordings, "recording");
      if (request.method === "DELETE" && !verb) {
        it.recordings = it.recordings.filter((one) => one !== recording);
        return send(response, 204);
      }
      if (!verb) {
        const { content: _, ...rest } = recording;
        return ok(rest);
      }
      const said = ofRecording(recording, verb, request, response, body, path.split("/").slice(4));
      if (said === null) throw gone("endpoint");
      return said && ok(said);
    }
    if (is("GET", "gpus")) return ok({ gpus: it.gpus });
    if (noun === "gpus") {
      const gpu = it.gpus.find((one) => one.address === decodeURIComponent(key)) ?? raise(gone("GPU"));
      if (verb === "findings") return ok({ findings: gpuFindings(gpu) });
      if (verb === "plan") return ok(gpuPlan(gpu, body));
      const made = operation("gpu_switch", `Switch GPU ${gpu.address} to mode ${body.mode}`, by, {
        created_at: new Date().toISOString(),
      });
      it.operations.push(made);
      session.moves.set(made.id, { to: "done", since: Date.now(), name: gpu.address });
      gpu.mode = body.mode;
      return send(response, 202, made);
    }
    if (is("GET", "clouds")) return ok({ clouds: it.clouds.map((one) => asCloud(it, one)) });
    if (is("POST", "clouds")) {
      if (!body.clouds_yaml.includes("auth_url") || "name" in body === false)
        throw new Refusal(422, "bad_cloud", "that is no clouds.yaml", "mend that, and send it again");
      const made = cloud(body.name, { region: body.region ?? null });
      it.clouds.push(made);
      return send(response, 201, asCloud(it, made));
    }
    if (noun === "clouds") {
      const found = find(it.clouds, "cloud");
      if (verb === "test")
        return ok({ findings: CLOUD_FINDINGS.map((f) => ({ ...f, subject: found.name })) });
      if (verb === "offer") return ok(CLOUD_OFFER);
      if (verb === "images") {
        const image = it.images.find((one) => one.id === sub) ?? raise(gone("image"));
        const title = `${image.name}:${image.version} to ${found.name}`;
        found.images = found.images.filter((one) => one.image.id !== sub);
        if (request.method === "POST") {
          const made = operation("image_upload", title, by, { created_at: new Date().toISOString() });
          it.operations.push(made);
          session.moves.set(made.id, { to: "done", since: Date.now(), name: title });
          return send(response, 202, made);
        }
        if (request.method === "PUT")
          found.images.push({
            image: { id: image.id, name: image.name, version: image.version },
            remote: body.remote,
            created_at: new Date().toISOString(),
          });
        return send(response, 204);
      }
      if (request.method === "DELETE") {
        it.clouds = it.clouds.filter((one) => one !== found);
        return send(response, 204);
      }
      if (request.method === "PUT") {
        found.changed_at = new Date().toISOString();
        found.reach = {
          gateways: body.gateways ?? found.reach.gateways,
          shelve: body.shelve ?? found.reach.shelve,
          jump: body.jump
            ? { host: body.jump.host, port: 22, user: body.jump.user, host_key: "ssh-ed25519 AAAAC3Nz" }
            : body.without_jump
              ? null
              : found.reach.jump,
        };
      }
      return ok(asCloud(it, found));
    }
    if (is("GET", "dashboard")) return ok(dashboard(it, Number(url.searchParams.get("hours") ?? 24)));
    if (is("GET", "webhooks")) return ok({ webhooks: it.webhooks });
    if (is("POST", "webhooks")) {
      if (!body.url.startsWith("https://"))
        throw new Refusal(422, "bad_webhook", `${body.url} is no https address`, "begin it with https://");
      const made = {
        id: id(),
        url: body.url,
        events: body.events ?? [],
        delivered: 41,
        behind: 0,
        failures: 0,
        next_try_at: null,
        last_error: null,
        lost: 0,
        created_at: new Date().toISOString(),
      };
      it.webhooks.push(made);
      return send(response, 201, { webhook: made, secret: "whsec_mock0mock0mock0mock0mock0mock0" });
    }
    if (noun === "webhooks") {
      const webhook = find(it.webhooks, "webhook");
      if (verb === "test") {
        if (webhook.failures > 0)
          throw new Refusal(
            409,
            "webhook_refused",
            `the message to ${webhook.url} was not taken`,
            "look there",
          );
        return send(response, 204);
      }
      it.webhooks = it.webhooks.filter((one) => one !== webhook);
      return send(response, 204);
    }
    if (is("GET", "syslogs")) return ok({ syslogs: it.syslogs });
    if (is("POST", "syslogs")) {
      const made = {
        id: id(),
        target: body.target,
        facility: body.facility ?? "authpriv",
        app_name: "oriel",
        enterprise: 32473,
        has_ca: Boolean(body.ca),
        events: body.events ?? [],
        delivered: 41,
        behind: 0,
        failures: 0,
        next_try_at: null,
        last_error: null,
        lost: 0,
        created_at: new Date().toISOString(),
      };
      it.syslogs.push(made);
      return send(response, 201, made);
    }
    if (noun === "syslogs") {
      const syslog = find(it.syslogs, "receiver");
      if (verb === "test") {
        if (syslog.failures > 0)
          throw new Refusal(409, "syslog_failed", `${syslog.target} did not take it`, "look there");
        return send(response, 204);
      }
      it.syslogs = it.syslogs.filter((one) => one !== syslog);
      return send(response, 204);
    }
    if (is("GET", "host")) return ok(it.host);
    if (is("GET", "doctor")) return ok({ findings: it.findings });
    if (is("GET", "secrets")) return ok(it.secrets);
    if (noun === "secrets" && request.method === "POST") {
      const title = `seal all secrets with the key ${it.secrets.keys[0].key}`;
      const made = operation("reseal", title, by, { created_at: new Date().toISOString() });
      it.operations.push(made);
      it.secrets.operation = made;
      session.moves.set(made.id, { to: "done", since: Date.now(), name: title });
      return send(response, 202, made);
    }
    if (is("GET", "reconcilers")) return ok({ reconcilers: it.reconcilers });
    throw new Refusal(404, "no_such_endpoint", `the mock has no ${request.method} ${path}`);
  }

  return new Promise((resolve) => {
    server.listen(port, "127.0.0.1", () => {
      const { port: got } = server.address();
      resolve({
        url: `http://127.0.0.1:${got}`,
        close: () => {
          server.closeAllConnections();
          return new Promise((done) => server.close(done));
        },
      });
    });
  });
}

/** The app always shows 123456. */
function secondFactor(session, method, path, body) {
  const { me: mine } = session.house;
  session.factor ??= {
    rule: "optional",
    totp_since: mine.second_factor ? new Date(Date.now() - 9e8).toISOString() : null,
    passkeys: [],
    recovery_codes_left: mine.second_factor ? 10 : 0,
    browsers: [],
  };
  const codes = () => {
    session.factor.recovery_codes_left = 10;
    return [200, { codes: Array.from({ length: 10 }, (_, n) => `k7fw-2xqp-9msd-hn${n}t`) }];
  };
  const guards = () => {
    if (mine.step === "done" && body.password !== "password")
      throw new Refusal(401, "bad_credentials", "the name or the password is not right", "try again");
  };
  const shows = () => {
    if (body.code !== "123456")
      throw new Refusal(401, "bad_code", "the code is not right, or was used already", "wait for the next");
    mine.step = "done";
  };
  if (method === "GET") return [200, session.factor];
  if (method === "DELETE") {
    session.factor.browsers = session.factor.browsers.filter((b) => !path.endsWith(b.id));
    return [204];
  }
  if (path === "/me/second-factor") {
    shows();
    if (body.remember) {
      const at = (days) => new Date(Date.now() + days * 86_400_000).toISOString();
      session.factor.browsers.push({
        id: id(),
        label: "Chrome on Linux",
        created_at: at(0),
        expires_at: at(30),
      });
    }
    return [200, me(session)];
  }
  if (path === "/me/second-factor/totp") {
    guards();
    const secret = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP";
    return [
      200,
      { secret, uri: `otpauth://totp/Oriel:${mine.name}?secret=${secret}&issuer=Oriel`, envelope: "sealed" },
    ];
  }
  if (path === "/me/second-factor/totp/confirm") {
    shows();
    session.factor.totp_since = new Date().toISOString();
    mine.second_factor = true;
    return codes();
  }
  guards();
  if (path === "/me/second-factor/recovery-codes") return codes();
  session.factor.totp_since = null;
  session.factor.recovery_codes_left = 0;
  mine.second_factor = false;
  return [204];
}

function placeOf(it, wanted) {
  const found = it.clouds.find((one) => one.id === wanted.cloud) ?? raise(gone("cloud"));
  return {
    cloud: { id: found.id, name: found.name },
    flavor: wanted.flavor,
    network: wanted.network ?? "auto",
    address: wanted.address ?? "fixed",
    root: wanted.root ?? "image",
  };
}

/** With the pools that stand on it. */
function asCloud(it, of) {
  const pools = it.pools.filter((pool) => pool.cloud?.cloud.id === of.id);
  const desktops = pools.reduce((sum, pool) => sum + pool.desktops, 0);
  return { ...of, pools: pools.map((pool) => ({ id: pool.id, name: pool.name })), desktops };
}

/** Jonas is the only one there, and his password is "password". */
function askDirectory(it, { name, password }) {
  if (name === "down")
    throw new Refusal(
      502,
      "directory_failed",
      "ldaps://dc1.lab.example did not answer in 15 seconds",
      "look at the directory's load, and at the network",
    );
  const known = name.toLowerCase() === "jonas";
  const dn = (cn) => `cn=${cn},ou=groups,dc=lab,dc=example`;
  return {
    person: known
      ? {
          dn: "cn=Jonas Berg,ou=people,dc=lab,dc=example",
          external_id: "7b0c6a9e-2f3f-4f0e-8a53-2f4f0e8a5311",
          name: "jonas",
          disabled: false,
          groups: [dn("contractors"), dn("all-staff")],
        }
      : null,
    password_right: known && password ? password === "password" : null,
    groups: known
      ? it.groups.filter((g) => g.name === "contractors").map(({ id, name }) => ({ id, name }))
      : [],
    role: null,
    refused: null,
  };
}

/** One that is down, and one that does not know us; the rest does. */
function askProvider({ name, settings }) {
  if (name === "down")
    throw new Refusal(
      502,
      "provider_failed",
      `${settings.issuer} did not answer in 8 seconds`,
      "look at the provider's load, and at the network",
    );
  return {
    authorization_endpoint: `${settings.issuer}/auth`,
    token_endpoint: `${settings.issuer}/token`,
    userinfo_endpoint: `${settings.issuer}/me`,
    keys: 2,
    algorithms: ["ES256", "RS256"],
    knows_pkce: true,
    client_refused:
      settings.client_id === "nobody"
        ? "the provider does not know us by that name and secret (invalid_client)"
        : null,
  };
}

function me(session) {
  const { id, name, role, directory, provider, must_change_password, locked, step } = session.house.me;
  const pools = role === "pool_admin" ? session.house.me.pools.map((pool) => pool.id) : [];
  const permissions = PERMISSIONS[role];
  return {
    id,
    name,
    role,
    permissions,
    pools,
    directory,
    provider,
    must_change_password,
    locked,
    step,
    may_remember: true,
    factors: session.house.me.step === "factor" ? ["app"] : [],
    csrf: session.csrf,
  };
}

/** Moves what was asked for along, by the clock. */
function tick(session) {
  const it = session.house;
  for (const [of, move] of session.moves) {
    const at = Math.floor((Date.now() - move.since) / STEP_MS);
    const d = it.desktops.find((x) => x.id === of);
    const o = it.operations.find((x) => x.id === of);
    if (d && move.to === "ready") {
      const step = STEPS[at];
      d.state = step ? (at < 2 ? "provisioning" : "starting") : "ready";
      d.step = step ?? null;
      d.start_steps = steps(step ?? "done");
      if (!step) session.moves.delete(of);
    } else if (d && at >= 1) {
      if (move.to === "gone") it.desktops = it.desktops.filter((x) => x !== d);
      else d.state = move.to;
      session.moves.delete(of);
    } else if (o) {
      o.state = at >= 6 ? "done" : "running";
      o.progress = Math.min(1, at / 6);
      o.step = `Step ${Math.min(at + 1, 6)} of 6`;
      o.log = Array.from({ length: Math.min(at + 1, 6) }, (_, n) => `step ${n + 1} of 6`);
      o.changed_at = new Date().toISOString();
      if (at >= 6) session.moves.delete(of);
    }
  }
}

function thumbnail(d, request, response) {
  if (d.state !== "ready" && d.state !== "in_use")
    throw new Refusal(404, "no_thumbnail", `${d.name} shows nothing`, "start it");
  const png = picture(d.state === "in_use" ? Math.floor(Date.now() / 8_000) : 0, d.name.length % 2);
  const etag = `"${createHash("sha256").update(png).digest("hex").slice(0, 16)}"`;
  response.setHeader("ETag", etag);
  if (request.headers["if-none-match"] === etag) return send(response, 304);
  response.writeHead(200, { "Content-Type": "image/png" });
  return response.end(png);
}

function serveFile(dist, pathname, response) {
  const asked = normalize(
    /^\/(viewer|player)\/$/.test(pathname) ? `${pathname}index.html` : pathname,
  ).replace(/^(\.\.[/\\])+/, "");
  const path = join(dist, asked);
  const file = existsSync(path) && statSync(path).isFile() ? path : join(dist, "index.html");
  response.writeHead(200, { "Content-Type": TYPES[extname(file)] ?? "application/octet-stream" });
  response.end(readFileSync(file));
}

/** A desktop's CD drive. */
const drives = new Map();
function ofDrive(desktop, method, path, { url, body, ok, response }) {
  const drive = drives.get(desktop.id) ?? {
    image: null,
    images: [{ name: "debian-13.iso", bytes: 700_000_000, changed: 1_796_000_000, complete: true }],
    starts: false,
    bytes_max: 2 ** 34,
    images_max: 16,
  };
  drives.set(desktop.id, drive);
  const name = url.searchParams.get("name");
  if (path.endsWith("/start")) drive.starts = method === "PUT";
  else if (method === "POST") drive.image = body.image;
  else if (method === "PUT") {
    const size = Number(url.searchParams.get("size"));
    const offset = Number(url.searchParams.get("offset")) + body.bytes;
    const complete = offset >= size;
    drive.images = drive.images.filter((one) => one.name !== name);
    drive.images.push({ name, bytes: offset, changed: 0, complete });
    return ok({ offset, complete });
  } else if (method === "DELETE") {
    drive.images = drive.images.filter((one) => one.name !== name);
    return send(response, 204);
  }
  return ok(drive);
}

function send(response, status, value, type = "application/json") {
  if (value === undefined) return response.writeHead(status).end();
  response.writeHead(status, { "Content-Type": type });
  return response.end(JSON.stringify(value));
}

async function readBody(request) {
  // A piece of a file: only how long it is.
  if (request.method === "PUT" && /\/device\/upload|\/drive\/image/.test(request.url)) {
    let bytes = 0;
    for await (const part of request) bytes += part.length;
    return { bytes };
  }
  let text = "";
  for await (const part of request) {
    text += part;
    if (text.length > BODY_BYTES_MAX) throw new Refusal(400, "too_large", "the body is too large");
  }
  return text ? JSON.parse(text) : {};
}

function raise(error) {
  throw error;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const option = (name, otherwise) => {
    const at = process.argv.indexOf(name);
    return at > 0 ? process.argv[at + 1] : otherwise;
  };
  const dist = option("--dist", fileURLToPath(new URL("../../dist", import.meta.url)));
  const mock = await startMock({ port: Number(option("--port", "8480")), dist });
  console.log(`mock: ${mock.url}, sign in as admin with password "password"`);
}

/** How many bookings a pool allows: none where its quota says nothing. */
function bookingsOf(it, pool) {
  const rule = it.quotas.find((one) => one.of === "pool" && one.named?.id === pool.id);
  const limit = rule?.limits.find((one) => one.kind === "bookings");
  return limit ? limit.most : 0;
}

/** What somebody has, by the rules of the mock: their own, their groups', everyone's. */
function quotaOf(it, who) {
  const own = it.desktops.filter((d) => d.owner?.id === who.id && !d.external);
  const groups = it.users.find((u) => u.id === who.id)?.groups ?? [];
  const rule = (kind) => {
    const named = (of, id) =>
      it.quotas.find((one) => one.of === of && one.named?.id === id)?.limits.find((l) => l.kind === kind);
    const of = [["user", who.id], ...groups.map((g) => ["group", g.id]), ["everyone", undefined]];
    return of.map(([word, id]) => ({ by: word, id, limit: named(word, id) })).find((one) => one.limit);
  };
  const runs = own.filter((d) => d.state !== "stopped").length;
  const held = {
    desktops: own.length,
    running: runs,
    cpus: runs * 2,
    memory: runs * 2 ** 31,
    gpus: 0,
    sessions: 0,
  };
  const uses = Object.entries(held).map(([kind, count]) => {
    const found = rule(kind);
    return {
      kind,
      held: count,
      most: found?.limit.most ?? null,
      by: found?.by ?? null,
      group: groups.find((g) => found?.by === "group" && g.id === found.id) ?? null,
    };
  });
  return { person: { id: who.id, name: who.name }, uses, pools: [] };
}

/** A roll-out that never moves by itself. Answers it, or `null` when it was forgotten. */
function changeRollout(it, pool, method, verb, step, body) {
  const before = pool.rollout;
  if (method === "GET") return before ?? raise(gone("roll-out"));
  if (method === "DELETE") {
    pool.rollout = null;
    return null;
  }
  if (step) {
    if (!before?.is_open)
      throw new Refusal(409, "rollout_over", "the last roll-out has ended", "begin another one");
    if (step === "cancel") Object.assign(before, { state: "cancelled", is_open: false, step: "cancelled" });
    else before.is_paused = step === "pause";
    return before;
  }
  const back = verb === "rollback";
  const version = body?.version ?? Math.max(...it.images.map((image) => image.version));
  const found = it.images.find((image) => image.name === pool.image.name && image.version === version);
  const to = back ? before.from : { id: found.id, name: found.name, version };
  pool.rollout = rollout(back ? before.to : pool.image, to, {
    state: back ? "rest" : "canary",
    is_rollback: back,
    canary: body?.canary ?? "10%",
    watch_minutes: body?.watch_minutes ?? 30,
    replace: body?.replace ?? "on_log_off",
    stop_after: body?.stop_after ?? "0",
  });
  return pool.rollout;
}
