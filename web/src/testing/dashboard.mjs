// How the house of the mock stands, and how it stood: the numbers of a day that anybody would know again.

const STEP_MS = 60_000;

/** `hours` back: busy at day, with a lack of spares in the morning. */
export function dashboard(it, hours) {
  const minutes = Math.max(1, Math.ceil((hours * 60) / 288));
  const now = Math.floor(Date.now() / STEP_MS) * STEP_MS;
  const ours = it.desktops.filter((one) => !one.external);
  const on = ours.filter((one) => ["ready", "in_use", "starting"].includes(one.state));
  const failed = it.desktops.filter((one) => ["failed", "unreachable"].includes(one.state));
  const busy = new Set(it.sessions.map((one) => one.desktop.id)).size;
  const point = (at, in_use, spares) => ({
    at: new Date(at).toISOString(),
    in_use,
    running: in_use + spares + 1,
    desktops: it.desktops.length,
    failed: failed.length,
    spares,
    spares_wanted: 2,
    gpu_units: Math.min(in_use, 2),
  });
  const history = [];
  // An empty house has no past.
  for (let n = it.desktops.length ? Math.floor((hours * 60) / minutes) : 0; n > 0; n -= 1) {
    const at = now - n * minutes * STEP_MS;
    const hour = (at / 3_600_000) % 24;
    const crowd = Math.max(0, Math.round(9 * Math.sin(((hour - 6) / 12) * Math.PI)));
    // The program was off for two hours, long ago.
    if (hours > 12 && n * minutes > 14 * 60 && n * minutes < 16 * 60) continue;
    history.push(point(at, crowd, Math.max(0, 3 - Math.round(crowd / 4))));
  }
  return {
    sessions: it.sessions.length,
    people: new Set(it.sessions.map((one) => one.user.id)).size,
    now: { ...point(now, busy, 1), running: on.length, spares_wanted: it.desktops.length ? 2 : 0, spares: 0 },
    history,
    history_minutes: minutes,
    pools: it.pools.map((pool) => {
      const of = it.desktops.filter((one) => one.pool.id === pool.id);
      const external = pool.kind === "external";
      return {
        id: pool.id,
        name: pool.name,
        kind: pool.kind,
        desktops: of.length,
        desktops_max: pool.desktops_max,
        in_use: of.filter((one) => one.connections > 0).length,
        running: external ? 0 : of.filter((one) => one.state === "ready").length,
        failed: of.filter((one) => ["failed", "unreachable"].includes(one.state)).length,
        running_spares: external ? 0 : of.filter((one) => one.state === "ready" && !one.owner).length,
        running_spares_wanted: pool.size?.running_spares ?? 0,
        stopped_spares: external ? 0 : of.filter((one) => one.state === "stopped" && !one.owner).length,
        stopped_spares_wanted: pool.size?.stopped_spares ?? 0,
      };
    }),
    gpus: it.gpus.map((gpu) => ({
      address: gpu.address,
      name: gpu.board,
      mode: gpu.mode,
      slots: gpu.slots,
      used: new Set([...gpu.holders, ...gpu.strangers].flatMap((one) => one.slots)).size,
      desktops: new Set(gpu.holders.map((one) => one.desktop.id)).size,
    })),
    hosts: [
      {
        kind: "host",
        name: it.host.name,
        state: "poor",
        reason: it.host.accelerator.reason,
        looked_at: null,
      },
      ...it.clouds.map((cloud) => ({
        kind: "cloud",
        name: cloud.name,
        state: cloud.looked ? (cloud.looked.problem ? "bad" : "good") : "unknown",
        reason: cloud.looked?.problem ?? "it answered when it was last looked at",
        looked_at: cloud.looked?.at ?? null,
      })),
    ],
    failures: failures(it, failed),
    reconcilers: it.reconcilers,
  };
}

function failures(it, failed) {
  const of = (kind, id, name, reason, at) => ({ kind, id, name, reason, at });
  return [
    ...failed.map((one) =>
      one.external
        ? of("machine", one.pool.id, one.name, one.failure ?? "it did not answer", one.changed_at)
        : of("desktop", one.id, one.name, one.failure ?? "it did not start", one.changed_at),
    ),
    ...it.operations
      .filter((one) => one.state === "failed")
      .map((one) => of("operation", one.id, one.title, one.error ?? "its log says more", one.changed_at)),
    ...it.webhooks
      .filter((one) => one.failures > 0)
      .map((one) => of("webhook", one.id, one.url, one.last_error, null)),
    ...it.reconcilers
      .filter((one) => one.last_error)
      .map((one) => of("reconciler", one.name, one.name, one.last_error, one.last_run_at)),
  ];
}

/** What a helpdesk sees of a connection. */
export function sessionDetail(it, session) {
  const desktop = it.desktops.find((one) => one.id === session.desktop.id);
  const began = Date.parse(session.started_at);
  const phase = (kind, ms, seconds) => ({ kind, at: new Date(began + ms).toISOString(), seconds });
  const away = (n) => (n > 50 && n < 58 ? 180 + n : 18 + (n % 7));
  return {
    session,
    pool: desktop?.pool ?? null,
    desktop_state: desktop?.state ?? null,
    host: desktop?.host ?? null,
    is_external: Boolean(desktop?.external),
    address: "192.0.2.17",
    start: [
      phase("placed", -41_000, null),
      phase("prepared", -38_400, 2.6),
      phase("powered_on", -37_100, 1.3),
      phase("answered", -8_900, 28.2),
    ],
    log_on: [
      phase("opened", 0, null),
      phase("reached", 120, 0.12),
      phase("signed_in", 940, 0.82),
      phase("first_picture", 1_510, 0.57),
    ],
    round_trips: session.viewers
      ? Array.from({ length: 90 }, (_, n) => ({
          at: new Date(Date.now() - (90 - n) * 10_000).toISOString(),
          ms: away(n),
        }))
      : [],
  };
}

/** A receiver of syslog that takes what it is sent, and one that does not. */
export const syslogs = (id, before) => [
  {
    id: id(),
    target: "tls://log.example.org:6514",
    facility: "authpriv",
    app_name: "oriel",
    enterprise: 32473,
    has_ca: true,
    events: [],
    delivered: 41,
    behind: 0,
    failures: 0,
    next_try_at: null,
    last_error: null,
    lost: 0,
    created_at: before(9000),
  },
  {
    id: id(),
    target: "tcp://192.0.2.9:601",
    facility: "local3",
    app_name: "oriel",
    enterprise: 32473,
    has_ca: false,
    events: ["delete_*"],
    delivered: 38,
    behind: 3,
    failures: 2,
    next_try_at: before(-1),
    last_error: "the connection was refused",
    lost: 0,
    created_at: before(400),
  },
];

/** A webhook that takes what it is sent, and one that does not. */
export const webhooks = (id, before) => [
  {
    id: id(),
    url: "https://log.example.org/oriel",
    events: [],
    delivered: 41,
    behind: 0,
    failures: 0,
    next_try_at: null,
    last_error: null,
    lost: 0,
    created_at: before(9000),
  },
  {
    id: id(),
    url: "https://chat.example.org/hooks/oriel-alarms",
    events: ["delete_*", "change_pool"],
    delivered: 38,
    behind: 3,
    failures: 6,
    next_try_at: before(-1),
    last_error: "it answered with status 503",
    lost: 0,
    created_at: before(400),
  },
];
