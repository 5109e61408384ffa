/** What the form of a directory holds, and what is sent of it. */
import type { Schemas } from "../../../api/client";

type Settings = Schemas["DirectorySettings"];

/** How the connection is made safe. */
export type Safety = "tls" | "start_tls" | "plain";
/** Whose certificate is taken. */
export type Trust = "system" | "ca" | "pin";
/** How people are found. */
export type Finding = "account" | "template";

export interface Mapped {
  /** Ours: a group's id, or a role. */
  ours: string;
  dn: string;
}

export interface Draft {
  name: string;
  kind: Schemas["DirectoryKind"];
  /** Host, and perhaps a port. */
  address: string;
  safety: Safety;
  trust: Trust;
  ca: string;
  pin: string;
  finding: Finding;
  bindDn: string;
  password: string;
  template: string;
  base: string;
  userFilter: string;
  groupBase: string;
  onlyMapped: boolean;
  groups: Mapped[];
  roles: Mapped[];
}

export const KINDS: [Schemas["DirectoryKind"], string][] = [
  ["ldap", "LDAP: OpenLDAP, 389, FreeIPA"],
  ["active_directory", "Active Directory"],
];

/** Those that a directory can give. */
export const ROLES_MAPPED: [Schemas["Role"], string][] = [
  ["admin", "Admin"],
  ["helpdesk", "Helpdesk"],
  ["auditor", "Auditor"],
  ["user", "User"],
];

export function draftOf(directory?: Schemas["Directory"]): Draft {
  const s = directory?.settings;
  return {
    name: directory?.name ?? "",
    kind: s?.kind ?? "ldap",
    address: s?.url.replace(/^ldaps?:\/\//, "") ?? "",
    safety: s?.plain ? "plain" : s?.start_tls ? "start_tls" : "tls",
    trust: s?.pin ? "pin" : s?.ca ? "ca" : "system",
    ca: s?.ca ?? "",
    pin: s?.pin ?? "",
    finding: s?.template ? "template" : "account",
    bindDn: s?.bind_dn ?? "",
    password: "",
    template: s?.template ?? "",
    base: s?.base ?? "",
    userFilter: s?.user_filter ?? "",
    groupBase: s?.group_base ?? "",
    onlyMapped: s?.only_mapped ?? false,
    groups: s?.groups.map(({ group, dn }) => ({ ours: group, dn })) ?? [],
    roles: s?.roles.map(({ role, dn }) => ({ ours: role, dn })) ?? [],
  };
}

/** Fields that hold nothing are not sent. */
const orNothing = (text: string) => text.trim() || undefined;

export function settingsOf(draft: Draft): Settings {
  const safe = draft.safety !== "plain";
  return {
    kind: draft.kind,
    url: `${draft.safety === "tls" ? "ldaps" : "ldap"}://${draft.address.trim()}`,
    start_tls: draft.safety === "start_tls",
    plain: draft.safety === "plain",
    ca: safe && draft.trust === "ca" ? orNothing(draft.ca) : undefined,
    pin: safe && draft.trust === "pin" ? orNothing(draft.pin.replaceAll(":", "").toLowerCase()) : undefined,
    bind_dn: draft.finding === "account" ? orNothing(draft.bindDn) : undefined,
    template: draft.finding === "template" ? orNothing(draft.template) : undefined,
    base: draft.base.trim(),
    user_filter: orNothing(draft.userFilter),
    group_base: orNothing(draft.groupBase),
    only_mapped: draft.onlyMapped,
    groups: draft.groups.map(({ ours, dn }) => ({ group: ours, dn: dn.trim() })),
    roles: draft.roles.map(({ ours, dn }) => ({ role: ours as Schemas["Role"], dn: dn.trim() })),
  };
}

/** Whether a password that is kept would go to somebody else: then it is asked again, as the server does. */
export function goesElsewhere(draft: Draft, directory: Schemas["Directory"]): boolean {
  const way = (of: Settings) => [of.url, of.start_tls, of.plain, of.ca, of.pin, of.bind_dn].join("\n");
  return way(settingsOf(draft)) !== way(directory.settings);
}

/** Why it cannot be sent yet, or "". The server looks at more. */
export function faultOf(draft: Draft, directory?: Schemas["Directory"]): string {
  if (!draft.name.trim()) return "Give it a name";
  if (!draft.address.trim()) return "Say where it is";
  if (/[/\s]/.test(draft.address.trim())) return "The address is a host, and perhaps a port";
  if (!draft.base.trim()) return "Say below which name people are";
  if (draft.safety !== "plain" && draft.trust === "ca" && !draft.ca.trim()) return "Paste the CA";
  if (draft.safety !== "plain" && draft.trust === "pin" && !draft.pin.trim())
    return "Paste the certificate's SHA-256";
  if (draft.finding === "template") {
    return draft.template.includes("{name}") ? "" : "The template has {name} in it";
  }
  if (!draft.bindDn.trim()) return "Say who looks people up";
  const kept = directory?.has_password && !goesElsewhere(draft, directory);
  if (!draft.password && !kept) return "Type the account's password";
  const half = [...draft.groups, ...draft.roles].some(({ ours, dn }) => !ours || !dn.includes("="));
  return half ? "A mapping has both sides, and the directory's is a distinguished name" : "";
}
