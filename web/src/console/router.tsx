/** Every address of the console. Each page is a chunk of its own. */
import {
  createRootRouteWithContext,
  createRoute,
  createRouter,
  lazyRouteComponent,
} from "@tanstack/react-router";
import type { Schemas } from "../api/client";
import { NotFound } from "./pages/NotFound";
import { PageError } from "./parts/ProblemState";
import { Layout } from "./shell/Layout";

const root = createRootRouteWithContext<{ me: Schemas["Me"] }>()({
  component: Layout,
  notFoundComponent: NotFound,
});

const page = <Path extends string>(path: Path, load: () => Promise<Record<string, unknown>>, name: string) =>
  createRoute({
    getParentRoute: () => root,
    path,
    // biome-ignore lint/suspicious/noExplicitAny: the router's own type for a lazily loaded component
    component: lazyRouteComponent(load as () => Promise<any>, name),
  });

const desktops = createRoute({
  getParentRoute: () => root,
  path: "/",
  validateSearch: (search: Record<string, unknown>): { all?: boolean } =>
    search.all === true ? { all: true } : {},
  component: lazyRouteComponent(() => import("./pages/Desktops"), "Desktops"),
});

const operations = createRoute({
  getParentRoute: () => root,
  path: "/operations",
  validateSearch: (search: Record<string, unknown>): { id?: string } =>
    typeof search.id === "string" ? { id: search.id } : {},
  component: lazyRouteComponent(() => import("./pages/Operations"), "Operations"),
});

const users = createRoute({
  getParentRoute: () => root,
  path: "/users",
  validateSearch: (
    search: Record<string, unknown>,
  ): { tab?: "groups" | "quotas" | "disks" | "directories" | "providers" } =>
    search.tab === "groups" ||
    search.tab === "quotas" ||
    search.tab === "disks" ||
    search.tab === "directories" ||
    search.tab === "providers"
      ? { tab: search.tab }
      : {},
  component: lazyRouteComponent(() => import("./pages/Users"), "Users"),
});

const recordings = createRoute({
  getParentRoute: () => root,
  path: "/recordings",
  /** The recording whose exports are looked at. */
  validateSearch: (search: Record<string, unknown>): { export?: string } =>
    typeof search.export === "string" ? { export: search.export } : {},
  component: lazyRouteComponent(() => import("./pages/Recordings"), "Recordings"),
});

export const router = createRouter({
  routeTree: root.addChildren([
    desktops,
    operations,
    page("/dashboard", () => import("./pages/Dashboard"), "Dashboard"),
    page("/images", () => import("./pages/Images"), "Images"),
    page("/pools", () => import("./pages/Pools"), "Pools"),
    page("/pools/$pool", () => import("./pages/Machines"), "Machines"),
    page("/devices", () => import("./pages/Devices"), "Devices"),
    page("/devices/$device", () => import("./pages/Device"), "Device"),
    users,
    page("/sessions", () => import("./pages/Sessions"), "Sessions"),
    page("/sessions/$session", () => import("./pages/Session"), "Session"),
    recordings,
    page("/audit", () => import("./pages/Audit"), "Audit"),
    page("/webhooks", () => import("./pages/Webhooks"), "Webhooks"),
    page("/syslog", () => import("./pages/Syslog"), "Syslog"),
    page("/gpus", () => import("./pages/Gpus"), "Gpus"),
    page("/clouds", () => import("./pages/Clouds"), "Clouds"),
    page("/host", () => import("./pages/Host"), "Host"),
    page("/account", () => import("./pages/Account"), "Account"),
  ]),
  context: {
    me: {
      id: "",
      name: "",
      role: "user",
      permissions: [],
      pools: [],
      directory: null,
      provider: null,
      must_change_password: false,
      locked: false,
      step: "done",
      may_remember: false,
      factors: [],
      csrf: "",
    },
  },
  defaultPreload: "intent",
  defaultErrorComponent: PageError,
  scrollRestoration: true,
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
