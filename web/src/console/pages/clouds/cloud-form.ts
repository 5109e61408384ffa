/** How to sign in to a cloud as its form holds it. No React here. */
import type { Schemas } from "../../../api/client";

export interface CloudDraft {
  name: string;
  /** Whether a clouds.yaml is pasted, or its fields are typed. */
  from: "file" | "fields";
  /** The text of a clouds.yaml. */
  file: string;
  /** Which of the file's, where it has several. */
  which: string;
  address: string;
  credentialId: string;
  credentialSecret: string;
  region: string;
  /** Who signs its certificates; empty for whom the server trusts. */
  ca: string;
}

export function draftOf(cloud?: Schemas["Cloud"]): CloudDraft {
  return {
    name: cloud?.name ?? "",
    from: "file",
    file: "",
    which: "",
    address: cloud?.address ?? "",
    credentialId: "",
    credentialSecret: "",
    region: cloud?.region ?? "",
    ca: "",
  };
}

/** What can't be sent, in a sentence; empty when it can. */
export function faultOf(draft: CloudDraft): string {
  if (draft.from === "file") return draft.file.trim() ? "" : "Paste the cloud's clouds.yaml";
  if (!/^https?:\/\/[^\s/]+/.test(draft.address.trim()))
    return "The address of Keystone begins with https:// or http://";
  if (!draft.credentialId.trim()) return "Give the application credential's id";
  if (!draft.credentialSecret) return "Give the application credential's secret";
  return "";
}

/** As the API takes it: a draft without a fault. Fields go as a clouds.yaml, too: JSON is YAML. */
export function signInOf(draft: CloudDraft): Omit<Schemas["CloudNew"], "name"> {
  const region = draft.region.trim() || null;
  const ca = draft.ca.trim() ? draft.ca : null;
  if (draft.from === "file") {
    return { clouds_yaml: draft.file, cloud: draft.which.trim() || null, region, ca };
  }
  const cloud = {
    auth_type: "v3applicationcredential",
    auth: {
      auth_url: draft.address.trim(),
      application_credential_id: draft.credentialId.trim(),
      application_credential_secret: draft.credentialSecret,
    },
  };
  return { clouds_yaml: JSON.stringify({ clouds: { cloud } }), cloud: "cloud", region, ca };
}

/** How a cloud's desktops are reached, as its form holds it. */
export interface ReachDraft {
  /** One network a line; empty for anywhere. */
  from: string;
  shelve: boolean;
  /** `""` straight, `kept` as it is, `new` through another one. */
  jump: "" | "kept" | "new";
  host: string;
  port: string;
  user: string;
  key: string;
  passphrase: string;
  /** What it must show; empty for what it shows now. */
  hostKey: string;
}

export function reachOf(cloud: Schemas["Cloud"]): ReachDraft {
  return {
    from: cloud.reach.gateways.join("\n"),
    shelve: cloud.reach.shelve,
    jump: cloud.reach.jump ? "kept" : "",
    host: "",
    port: "22",
    user: "",
    key: "",
    passphrase: "",
    hostKey: "",
  };
}

export function reachFault(draft: ReachDraft): string {
  if (draft.jump !== "new") return "";
  if (!draft.host.trim() || !draft.user.trim()) return "Name the jump host and its account";
  if (!/^[1-9]\d{0,4}$/.test(draft.port) || Number(draft.port) > 65_535) return "A port is 1 to 65535";
  return draft.key.includes("PRIVATE KEY") ? "" : "Paste the private key for the jump host";
}

/** As the API takes it: a draft without a fault. */
export function reachChange(draft: ReachDraft): Schemas["CloudChange"] {
  return {
    gateways: draft.from.split(/[\s,]+/).filter(Boolean),
    shelve: draft.shelve,
    without_jump: draft.jump === "",
    ...(draft.jump === "new"
      ? {
          jump: {
            host: draft.host.trim(),
            port: Number(draft.port),
            user: draft.user.trim(),
            private_key: draft.key,
            passphrase: draft.passphrase || null,
            host_key: draft.hostKey.trim() || null,
          },
        }
      : {}),
  };
}
