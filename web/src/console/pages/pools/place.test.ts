import { expect, test } from "vitest";
import { addressesOf, faultOf, freeWords, HERE, networksOf, placeOf } from "./place";

const flavor = { id: "1", name: "gpu", vcpus: 4, memory_mib: 8192, disk_gib: 40 };

test("a pool stands here, or on a cloud with a flavor", () => {
  expect(placeOf(HERE)).toBeNull();
  expect(faultOf(HERE)).toBe("");
  const there = { ...HERE, cloud: "c" };
  expect(faultOf(there)).toBe("Choose a flavor");
  const usual = { cloud: "c", flavor: "1", network: "auto", address: "fixed", root: "image" };
  expect(placeOf({ ...there, flavor: "1" })).toEqual(usual);
  const far = { ...there, flavor: "1", floating: "world", root: "volume" as const };
  expect(placeOf(far)).toEqual({ ...usual, address: "floating from world", root: "volume" });
  expect(placeOf({ ...far, network: "none" })).toMatchObject({ address: "fixed" });
});

test("what is free of GPUs is said as far as the cloud says it", () => {
  expect(freeWords({ ...flavor, gpu: null, gpus_free: null })).toBe("");
  expect(freeWords({ ...flavor, gpu: "a40 × 1", gpus_free: null })).toBe("the cloud does not say");
  expect(freeWords({ ...flavor, gpu: "VGPU × 1", gpus_free: 0 })).toBe("none now");
  expect(freeWords({ ...flavor, gpu: "VGPU × 1", gpus_free: 3 })).toBe("for 3");
});

test("networks of one name are told apart by their ids", () => {
  const network = (id: string, name: string) => ({ id, name, shared: false, external: false });
  const all = [network("1", "desk"), network("2", "desk"), network("3", "lab"), network("4", "auto")];
  expect(networksOf(all).map(([value]) => value)).toEqual(["auto", "1", "2", "lab", "4", "none"]);
});

test("floating addresses come from external networks", () => {
  const network = (id: string, external: boolean) => ({ id, name: id, shared: external, external });
  expect(addressesOf([network("world", true), network("desk", false)])).toEqual([
    ["", "The network's own"],
    ["world", "A floating one from world"],
  ]);
});

test("external networks come last", () => {
  const network = (id: string, external: boolean) => ({ id, name: id, shared: external, external });
  expect(networksOf([network("world", true), network("desk", false)]).map(([, text]) => text)).toEqual([
    "What the project has",
    "desk",
    "world, shared, external",
    "None: only the console can be opened",
  ]);
});
