/** What roles are called and what they give; the server decides, this only shows the way. No React here. */
import type { Schemas } from "../api/client";
import type { Tone } from "./words";

export type Role = Schemas["Role"];

/** The words of crates/model/src/permission.rs that pages ask for. */
export type Permission =
  | "people_read"
  | "people_write"
  | "images_read"
  | "images_write"
  | "pools_read"
  | "pools_write"
  | "pools_make"
  | "machines_read"
  | "machines_write"
  | "desktops_read"
  | "desktops_operate"
  | "desktops_write"
  | "desktops_use"
  | "operations_read"
  | "operations_write"
  | "sessions_read"
  | "sessions_end"
  | "sessions_shadow"
  | "recordings_read"
  | "recordings_typed"
  | "recordings_write"
  | "gpus_read"
  | "gpus_write"
  | "clouds_write"
  | "webhooks_write"
  | "secrets_write"
  | "host_read"
  | "audit_read";

export const ROLES: Record<Role, { text: string; about: string; tone: Tone }> = {
  user: { text: "User", about: "opens their own desktops", tone: "grey" },
  helpdesk: { text: "Helpdesk", about: "helps people with their desktops and connections", tone: "teal" },
  pool_admin: { text: "Pool admin", about: "everything in some pools", tone: "blue" },
  auditor: { text: "Auditor", about: "sees everything, changes nothing", tone: "orange" },
  admin: { text: "Admin", about: "everything", tone: "purple" },
};

export const ROLE_CHOICES = (Object.keys(ROLES) as Role[]).map(
  (role) => [role, `${ROLES[role].text}: ${ROLES[role].about}`] as const,
);

/** What a token can be kept to, in the order of a form. */
export const TOKEN_PERMISSIONS: ReadonlyArray<readonly [Permission, string]> = [
  ["desktops_read", "See desktops"],
  ["desktops_operate", "Start, stop and restart desktops"],
  ["desktops_write", "Make, delete and recycle desktops"],
  ["desktops_use", "Open desktops and their files"],
  ["sessions_read", "See connections"],
  ["sessions_end", "End connections"],
  ["pools_read", "See pools"],
  ["pools_write", "Change pools and who may use them"],
  ["pools_make", "Make and delete pools"],
  ["images_read", "See images"],
  ["images_write", "Build, import and delete images"],
  ["machines_read", "See external machines"],
  ["machines_write", "Change external machines"],
  ["people_read", "See users and groups"],
  ["people_write", "Change users and groups"],
  ["operations_read", "See operations"],
  ["operations_write", "Cancel and resume operations"],
  ["recordings_read", "Play recordings"],
  ["recordings_typed", "See what was typed in recordings, passwords too"],
  ["recordings_write", "Delete recordings"],
  ["gpus_read", "See GPUs"],
  ["gpus_write", "Switch GPUs"],
  ["clouds_write", "Add and remove clouds"],
  ["webhooks_write", "Add and remove webhooks"],
  ["secrets_write", "Seal all secrets with another key"],
  ["host_read", "See the host"],
  ["audit_read", "Read the audit"],
];

/** Whether somebody may, for some pools at least. */
export const may = (me: Schemas["Me"], permission: Permission) => me.permissions.includes(permission);

/** Whether somebody may with what belongs to this pool. */
export const mayIn = (me: Schemas["Me"], permission: Permission, pool: string) =>
  may(me, permission) && (me.role !== "pool_admin" || me.pools.includes(pool));

/** Why a button can't be pressed, or "". */
export const whyNot = (me: Schemas["Me"], permission: Permission) =>
  may(me, permission) ? "" : `Your role (${ROLES[me.role].text.toLowerCase()}) does not include this`;
