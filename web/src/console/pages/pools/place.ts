/** Where a new pool stands, as its form holds it. No React here. */
import type { Schemas } from "../../../api/client";

export interface PlaceDraft {
  /** A cloud's id; empty for this host. */
  cloud: string;
  /** A flavor's name: Nova has each once. */
  flavor: string;
  /** A network's name, its id where several are called so, `auto` or `none`. */
  network: string;
  /** An external network from which each desktop has an address of its own; empty for the network's own addresses. */
  floating: string;
  /** `image` or `volume`. */
  root: "image" | "volume";
}

export const HERE: PlaceDraft = { cloud: "", flavor: "", network: "auto", floating: "", root: "image" };

/** Why it cannot be sent, or "". */
export const faultOf = (draft: PlaceDraft) => (draft.cloud && !draft.flavor ? "Choose a flavor" : "");

/** As the API takes it; null for this host. */
export const placeOf = (draft: PlaceDraft): Schemas["CloudPlaceNew"] | null =>
  draft.cloud
    ? {
        cloud: draft.cloud,
        flavor: draft.flavor,
        network: draft.network,
        // Without a network card nothing could lead to one.
        address: draft.floating && draft.network !== "none" ? `floating from ${draft.floating}` : "fixed",
        root: draft.root,
      }
    : null;

/** Where floating addresses can come from. */
export const addressesOf = (networks: Schemas["CloudNetwork"][]): Array<readonly [string, string]> => [
  ["", "The network's own"],
  ...networks
    .filter((one) => one.external)
    .map((one) => [keyOf(one, networks), `A floating one from ${one.name || one.id}`] as const),
];

const keyOf = (one: Schemas["CloudNetwork"], all: Schemas["CloudNetwork"][]) => {
  const taken = ["", "auto", "none"].includes(one.name) || all.some((x) => x !== one && x.name === one.name);
  return taken ? one.id : one.name;
};

/** Of a flavor's GPUs; a cloud need not say. */
export function freeWords(flavor: Schemas["CloudFlavor"]): string {
  if (flavor.gpu === null) return "";
  if (flavor.gpus_free === null) return "the cloud does not say";
  return flavor.gpus_free === 0 ? "none now" : `for ${flavor.gpus_free}`;
}

/** External networks are where floating addresses come from: last, and said so. */
export function networksOf(networks: Schemas["CloudNetwork"][]): Array<readonly [string, string]> {
  const words = (one: Schemas["CloudNetwork"]) =>
    [one.name || one.id, one.shared ? "shared" : "", one.external ? "external" : ""]
      .filter(Boolean)
      .join(", ");
  const sorted = [...networks].sort((a, b) => Number(a.external) - Number(b.external));
  return [
    ["auto", "What the project has"],
    ...sorted.map((one) => [keyOf(one, networks), words(one)] as const),
    ["none", "None: only the console can be opened"],
  ];
}
