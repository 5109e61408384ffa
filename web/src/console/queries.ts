/** What the pages read, one query a noun. Two seconds where something moves, slower when idle; TanStack pauses hidden tabs. */
import { infiniteQueryOptions, keepPreviousData, queryOptions } from "@tanstack/react-query";
import { answer, client, type Schemas, setCsrf } from "../api/client";
import { isMoving } from "./can";

const MOVING_MS = 2_000;
const IDLE_MS = 10_000;
const RARE_MS = 30_000;

const running = (o: Schemas["Operation"]) => o.state === "running" || o.state === "queued";

export const meQuery = queryOptions({
  queryKey: ["me"],
  queryFn: async () => {
    const me = await answer(client.GET("/api/v1/me"));
    setCsrf(me.csrf);
    return me;
  },
  staleTime: 60_000,
  refetchOnWindowFocus: true,
});

/** `all` is for admins: everyone's. */
export const desktopsQuery = (all: boolean) =>
  queryOptions({
    queryKey: ["desktops", { all }],
    queryFn: async () =>
      (await answer(client.GET("/api/v1/desktops", { params: { query: all ? { all } : {} } }))).desktops,
    refetchInterval: (q) => (q.state.data?.some(isMoving) ? MOVING_MS : IDLE_MS / 2),
  });

export const imagesQuery = queryOptions({
  queryKey: ["images"],
  queryFn: async () => (await answer(client.GET("/api/v1/images"))).images,
  refetchInterval: IDLE_MS,
});

export const recipesQuery = queryOptions({
  queryKey: ["recipes"],
  queryFn: async () => (await answer(client.GET("/api/v1/recipes"))).recipes,
  staleTime: Number.POSITIVE_INFINITY,
});

export const poolsQuery = queryOptions({
  queryKey: ["pools"],
  queryFn: async () => (await answer(client.GET("/api/v1/pools"))).pools,
  refetchInterval: (q) => (q.state.data?.some((pool) => pool.rollout?.is_open) ? MOVING_MS : IDLE_MS),
});

/** Pools that the person may have a desktop of. */
export const ownPoolsQuery = queryOptions({
  queryKey: ["own-pools"],
  queryFn: async () => (await answer(client.GET("/api/v1/me/pools"))).pools,
  refetchInterval: IDLE_MS,
});

/** Programs that the person may open. */
export const ownAppsQuery = queryOptions({
  queryKey: ["own-apps"],
  queryFn: async () => (await answer(client.GET("/api/v1/me/apps"))).apps,
  refetchInterval: RARE_MS,
});

/** Programs that a pool publishes. */
export const appsQuery = (pool: string) =>
  queryOptions({
    queryKey: ["apps", pool],
    queryFn: async () =>
      (await answer(client.GET("/api/v1/pools/{id}/apps", { params: { path: { id: pool } } }))).apps,
    refetchInterval: RARE_MS,
  });

/** The hosts of a pool of session hosts, and who has a place on which. */
export const poolHostsQuery = (pool: string) =>
  queryOptions({
    queryKey: ["pool hosts", pool],
    queryFn: async () => {
      const [{ desktops }, { places }] = await Promise.all([
        answer(client.GET("/api/v1/desktops", { params: { query: { all: true } } })),
        answer(client.GET("/api/v1/pools/{id}/places", { params: { path: { id: pool } } })),
      ]);
      return { desktops, places };
    },
    refetchInterval: IDLE_MS / 2,
  });

export const machinesQuery = (pool: string) =>
  queryOptions({
    queryKey: ["machines", pool],
    queryFn: async () =>
      (await answer(client.GET("/api/v1/pools/{id}/machines", { params: { path: { id: pool } } }))).machines,
    refetchInterval: IDLE_MS / 2,
  });

/** Devices in front of machines, with what is known of them: nothing is asked of a device for it. */
export const devicesQuery = queryOptions({
  queryKey: ["devices"],
  queryFn: async () => (await answer(client.GET("/api/v1/devices"))).devices,
  refetchInterval: MOVING_MS,
});

/** One device, as it is now. Everybody who looks shares one connection to it. */
export const deviceQuery = (id: string) =>
  queryOptions({
    queryKey: ["device", id],
    queryFn: () => answer(client.GET("/api/v1/machines/{id}/device/live", { params: { path: { id } } })),
    refetchInterval: MOVING_MS / 2,
    gcTime: 0,
    retry: false,
  });

export const usersQuery = queryOptions({
  queryKey: ["users"],
  queryFn: async () => (await answer(client.GET("/api/v1/users"))).users,
  refetchInterval: RARE_MS,
});

/** One's own. */
export const secondFactorQuery = queryOptions({
  queryKey: ["second-factor"],
  queryFn: () => answer(client.GET("/api/v1/me/second-factor")),
});

export const groupsQuery = queryOptions({
  queryKey: ["groups"],
  queryFn: async () => (await answer(client.GET("/api/v1/groups"))).groups,
  refetchInterval: RARE_MS,
});

export const quotasQuery = queryOptions({
  queryKey: ["quotas"],
  queryFn: async () => (await answer(client.GET("/api/v1/quotas"))).quotas,
  refetchInterval: RARE_MS,
});

/** People's homes. */
export const disksQuery = queryOptions({
  queryKey: ["disks"],
  queryFn: async () => (await answer(client.GET("/api/v1/personal-disks"))).personal_disks,
  refetchInterval: (q) => (q.state.data?.some((disk) => disk.operation) ? MOVING_MS : IDLE_MS),
});

/** One of them, with what its host knows of it. */
export const diskQuery = (id: string) =>
  queryOptions({
    queryKey: ["disks", id],
    queryFn: () => answer(client.GET("/api/v1/personal-disks/{id}", { params: { path: { id } } })),
    refetchInterval: IDLE_MS,
  });

/** A desktop's machine, asked of its cloud. */
export const desktopMachineQuery = (id: string) =>
  queryOptions({
    queryKey: ["desktop-machine", id],
    queryFn: () => answer(client.GET("/api/v1/desktops/{id}/machine", { params: { path: { id } } })),
    refetchInterval: (q) =>
      q.state.data?.state === "underway" || q.state.data?.snapshots.some((one) => !one.whole)
        ? MOVING_MS
        : IDLE_MS,
  });

/** What one holds, and what limits it. */
export const ownQuotaQuery = queryOptions({
  queryKey: ["quota", "own"],
  queryFn: () => answer(client.GET("/api/v1/me/quota")),
  refetchInterval: IDLE_MS,
});

/** A desktop's CD drive, and the images that lie on its host for it. */
export const driveQuery = (id: string) =>
  queryOptions({
    queryKey: ["drive", id],
    queryFn: () => answer(client.GET("/api/v1/desktops/{id}/drive", { params: { path: { id } } })),
  });

/** One's own bookings, and the pools of which one may book desktops. */
export const ownBookingsQuery = queryOptions({
  queryKey: ["bookings", "own"],
  queryFn: () => answer(client.GET("/api/v1/me/bookings")),
  refetchInterval: IDLE_MS,
});

/** All bookings of a pool, or of all pools that one may see. */
export const poolBookingsQuery = (pool: string | undefined) =>
  queryOptions({
    queryKey: ["bookings", "pool", pool ?? null],
    queryFn: async () => {
      const all: Schemas["Booking"][] = [];
      for (let cursor: string | undefined; ; ) {
        const query = { pool, cursor, limit: 500 };
        const page = await answer(client.GET("/api/v1/bookings", { params: { query } }));
        all.push(...page.bookings);
        if (!page.next) return all;
        cursor = page.next;
      }
    },
    refetchInterval: IDLE_MS,
  });

/** How much of a pool is booked, hour by hour. */
export const bookedHoursQuery = (pool: string, from: string, to: string) =>
  queryOptions({
    queryKey: ["bookings", "hours", pool, from, to],
    queryFn: () =>
      answer(
        client.GET("/api/v1/pools/{id}/bookings", { params: { path: { id: pool }, query: { from, to } } }),
      ),
    refetchInterval: IDLE_MS,
  });

export const userQuotaQuery = (id: string) =>
  queryOptions({
    queryKey: ["quota", id],
    queryFn: () => answer(client.GET("/api/v1/users/{id}/quota", { params: { path: { id } } })),
    refetchInterval: IDLE_MS,
  });

export const directoriesQuery = queryOptions({
  queryKey: ["directories"],
  queryFn: async () => (await answer(client.GET("/api/v1/directories"))).directories,
  refetchInterval: RARE_MS,
});

export const providersQuery = queryOptions({
  queryKey: ["providers"],
  queryFn: async () => (await answer(client.GET("/api/v1/providers"))).providers,
  refetchInterval: RARE_MS,
});

/** For whoever stands at the door. */
export const signInProvidersQuery = queryOptions({
  queryKey: ["me", "providers"],
  queryFn: async () => (await answer(client.GET("/api/v1/sign-in/oidc"))).providers,
});

export interface AuditWanted {
  actor: string;
  action: string;
  target: string;
  refused: boolean;
}

/** Page by page, the newest first. */
export const auditQuery = (wanted: AuditWanted) =>
  infiniteQueryOptions({
    queryKey: ["audit", wanted],
    queryFn: ({ pageParam }) => {
      const query = {
        ...(wanted.actor ? { actor: wanted.actor } : {}),
        ...(wanted.action ? { action: wanted.action } : {}),
        ...(wanted.target ? { target: wanted.target } : {}),
        ...(wanted.refused ? { refused: true } : {}),
        ...(pageParam ? { before: pageParam } : {}),
      };
      return answer(client.GET("/api/v1/audit", { params: { query } }));
    },
    initialPageParam: null as number | null,
    getNextPageParam: (last) => last.next,
  });

export const operationsQuery = queryOptions({
  queryKey: ["operations"],
  queryFn: async () => (await answer(client.GET("/api/v1/operations"))).operations,
  refetchInterval: (q) => (q.state.data?.some(running) ? MOVING_MS : IDLE_MS),
});

export const sessionsQuery = queryOptions({
  queryKey: ["sessions"],
  queryFn: async () => (await answer(client.GET("/api/v1/sessions"))).sessions,
  refetchInterval: MOVING_MS,
});

/** One of them, as a helpdesk looks at it. */
export const sessionQuery = (id: string) =>
  queryOptions({
    queryKey: ["session", id],
    queryFn: () => answer(client.GET("/api/v1/sessions/{id}", { params: { path: { id } } })),
    refetchInterval: MOVING_MS,
    gcTime: 0,
    retry: false,
  });

/** Which recordings are looked for; empty for all. */
export interface RecordingFilter {
  text: string;
  user: string;
  desktop: string;
  since: string;
  until: string;
}

/** Page by page, newest first. */
export const recordingsQuery = (filter: RecordingFilter) =>
  infiniteQueryOptions({
    queryKey: ["recordings", filter],
    queryFn: ({ pageParam }) => {
      const said = Object.entries({ ...filter, cursor: pageParam }).filter(([, value]) => value);
      return answer(client.GET("/api/v1/recordings", { params: { query: Object.fromEntries(said) } }));
    },
    initialPageParam: "",
    getNextPageParam: (page) => page.next ?? undefined,
    select: ({ pages }) => pages.flatMap((page) => page.recordings),
    // What was found stays while more is looked for.
    placeholderData: keepPreviousData,
    refetchInterval: (q) =>
      q.state.data?.pages.some((page) => page.recordings.some((one) => one.state === "recording"))
        ? IDLE_MS / 2
        : RARE_MS,
  });

export const recordingQuery = (id: string) =>
  queryOptions({
    queryKey: ["recordings", id],
    queryFn: () => answer(client.GET("/api/v1/recordings/{id}", { params: { path: { id } } })),
    enabled: id !== "",
  });

/** What was made of a recording. */
export const exportsQuery = (recording: string) =>
  queryOptions({
    queryKey: ["exports", recording],
    queryFn: async () =>
      (await answer(client.GET("/api/v1/recordings/{id}/exports", { params: { path: { id: recording } } })))
        .exports,
    refetchInterval: (q) =>
      q.state.data?.some((one) => one.state === "running" || one.state === "queued") ? MOVING_MS : IDLE_MS,
  });

export const tokensQuery = queryOptions({
  queryKey: ["tokens"],
  queryFn: async () => (await answer(client.GET("/api/v1/tokens"))).tokens,
});

export const syslogsQuery = queryOptions({
  queryKey: ["syslogs"],
  queryFn: async () => (await answer(client.GET("/api/v1/syslogs"))).syslogs,
  refetchInterval: IDLE_MS,
});

export const webhooksQuery = queryOptions({
  queryKey: ["webhooks"],
  queryFn: async () => (await answer(client.GET("/api/v1/webhooks"))).webhooks,
  refetchInterval: IDLE_MS,
});

/** How things stand, and how they stood over so many hours. */
export const dashboardQuery = (hours: number) =>
  queryOptions({
    queryKey: ["dashboard", hours],
    queryFn: () => answer(client.GET("/api/v1/dashboard", { params: { query: { hours } } })),
    // The day stays while the week is asked for.
    placeholderData: keepPreviousData,
    refetchInterval: IDLE_MS,
  });

export const hostQuery = queryOptions({
  queryKey: ["host"],
  queryFn: () => answer(client.GET("/api/v1/host")),
  refetchInterval: RARE_MS,
});

export const hostsQuery = queryOptions({
  queryKey: ["hosts"],
  queryFn: async () => (await answer(client.GET("/api/v1/hosts"))).hosts,
  refetchInterval: IDLE_MS,
});

export const cloudsQuery = queryOptions({
  queryKey: ["clouds"],
  queryFn: async () => (await answer(client.GET("/api/v1/clouds"))).clouds,
  refetchInterval: IDLE_MS,
});

/** The cloud is asked anew each time that somebody looks. */
export const cloudFindingsQuery = (id: string) =>
  queryOptions({
    queryKey: ["cloud-findings", id],
    queryFn: async () =>
      (await answer(client.POST("/api/v1/clouds/{id}/test", { params: { path: { id } } }))).findings,
    staleTime: RARE_MS,
  });

/** Flavors and networks of a cloud, with the GPUs that are free now. */
export const cloudOfferQuery = (id: string) =>
  queryOptions({
    queryKey: ["cloud-offer", id],
    queryFn: () => answer(client.GET("/api/v1/clouds/{id}/offer", { params: { path: { id } } })),
    enabled: id !== "",
    staleTime: RARE_MS,
  });

export const gpusQuery = queryOptions({
  queryKey: ["gpus"],
  queryFn: async () => (await answer(client.GET("/api/v1/gpus"))).gpus,
  refetchInterval: (q) => (q.state.data?.some((gpu) => gpu.switching) ? MOVING_MS : IDLE_MS),
});

/** Whose GPUs are at which hours of the week. */
export const gpuTurnsQuery = queryOptions({
  queryKey: ["gpu-turns"],
  queryFn: async () => (await answer(client.GET("/api/v1/gpu-turns"))).turns,
  refetchInterval: IDLE_MS,
});

export const gpuFindingsQuery = (address: string) =>
  queryOptions({
    queryKey: ["gpus", address, "findings"],
    queryFn: async () =>
      (await answer(client.GET("/api/v1/gpus/{address}/findings", { params: { path: { address } } })))
        .findings,
    staleTime: RARE_MS,
  });

export const doctorQuery = queryOptions({
  queryKey: ["doctor"],
  queryFn: async () => (await answer(client.GET("/api/v1/doctor"))).findings,
  staleTime: RARE_MS,
});

export const secretsQuery = queryOptions({
  queryKey: ["secrets"],
  queryFn: () => answer(client.GET("/api/v1/secrets")),
  refetchInterval: (q) => {
    const operation = q.state.data?.operation;
    // Everything is counted for it.
    return operation && running(operation) ? MOVING_MS : 6 * IDLE_MS;
  },
});

export const reconcilersQuery = queryOptions({
  queryKey: ["reconcilers"],
  queryFn: async () => (await answer(client.GET("/api/v1/reconcilers"))).reconcilers,
  refetchInterval: IDLE_MS / 2,
});
