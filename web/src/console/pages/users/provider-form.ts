/** What the form of a provider holds, and what is sent of it. */
import type { Schemas } from "../../../api/client";
import type { Mapped, Trust } from "./directory-form";

type Settings = Schemas["ProviderSettings"];

export interface Draft {
  name: string;
  issuer: string;
  clientId: string;
  secret: string;
  trust: Trust;
  ca: string;
  pin: string;
  /** Words with blanks between. */
  scopes: string;
  nameClaim: string;
  groupsClaim: string;
  onlyMapped: boolean;
  groups: Mapped[];
  roles: Mapped[];
  askAgain: boolean;
  factorAcr: string;
  factorAmr: string;
}

export function draftOf(provider?: Schemas["Provider"]): Draft {
  const s = provider?.settings;
  return {
    name: provider?.name ?? "",
    issuer: s?.issuer ?? "",
    clientId: s?.client_id ?? "",
    secret: "",
    trust: s?.pin ? "pin" : s?.ca ? "ca" : "system",
    ca: s?.ca ?? "",
    pin: s?.pin ?? "",
    scopes: s?.scopes.join(" ") ?? "profile",
    nameClaim: s?.name_claim ?? "",
    groupsClaim: s?.groups_claim ?? "",
    onlyMapped: s?.only_mapped ?? false,
    groups: s?.groups.map(({ group, value }) => ({ ours: group, dn: value })) ?? [],
    roles: s?.roles.map(({ role, value }) => ({ ours: role, dn: value })) ?? [],
    askAgain: s?.ask_again ?? false,
    factorAcr: s?.factor_acr.join(" ") ?? "",
    factorAmr: s?.factor_amr.join(" ") ?? "",
  };
}

/** Fields that hold nothing are not sent. */
const orNothing = (text: string) => text.trim() || undefined;
const words = (text: string) => text.split(/\s+/).filter(Boolean);

export function settingsOf(draft: Draft): Settings {
  return {
    issuer: draft.issuer.trim(),
    client_id: draft.clientId.trim(),
    ca: draft.trust === "ca" ? orNothing(draft.ca) : undefined,
    pin: draft.trust === "pin" ? orNothing(draft.pin.replaceAll(":", "").toLowerCase()) : undefined,
    scopes: words(draft.scopes),
    name_claim: orNothing(draft.nameClaim),
    groups_claim: orNothing(draft.groupsClaim),
    only_mapped: draft.onlyMapped,
    groups: draft.groups.map(({ ours, dn }) => ({ group: ours, value: dn.trim() })),
    roles: draft.roles.map(({ ours, dn }) => ({ role: ours as Schemas["Role"], value: dn.trim() })),
    ask_again: draft.askAgain,
    factor_acr: words(draft.factorAcr),
    factor_amr: words(draft.factorAmr),
  };
}

/** Whether a secret that is kept would go to somebody else: then it is asked again, as the server does. */
export function goesElsewhere(draft: Draft, provider: Schemas["Provider"]): boolean {
  const way = (of: Settings) => [of.issuer, of.client_id, of.ca, of.pin].join("\n");
  return way(settingsOf(draft)) !== way(provider.settings);
}

/** Why it cannot be sent yet, or "". The server looks at more. */
export function faultOf(draft: Draft, provider?: Schemas["Provider"]): string {
  if (!draft.name.trim()) return "Give it a name";
  if (!/^https?:\/\/[^\s/]+/.test(draft.issuer.trim())) return "The issuer is an address: https://…";
  if (!draft.clientId.trim()) return "Say who Oriel is there";
  if (draft.trust === "ca" && !draft.ca.trim()) return "Paste the CA";
  if (draft.trust === "pin" && !draft.pin.trim()) return "Paste the certificate's SHA-256";
  if (provider?.has_secret && !draft.secret && goesElsewhere(draft, provider)) {
    return "Type the client's secret again";
  }
  const half = [...draft.groups, ...draft.roles].some(({ ours, dn }) => !ours || !dn.trim());
  return half ? "A mapping has both sides" : "";
}
