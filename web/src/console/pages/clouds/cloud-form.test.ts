import { expect, test } from "vitest";
import { draftOf, faultOf, reachChange, reachFault, reachOf, signInOf } from "./cloud-form";

test("what can't be sent says why", () => {
  const draft = draftOf();
  expect(faultOf(draft)).toBe("Paste the cloud's clouds.yaml");
  const typed = { ...draft, from: "fields" as const };
  expect(faultOf(typed)).toContain("address of Keystone");
  const reached = { ...typed, address: "https://oak.example:5000" };
  expect(faultOf(reached)).toContain("credential's id");
  expect(faultOf({ ...reached, credentialId: "i" })).toContain("secret");
  expect(faultOf({ ...reached, credentialId: "i", credentialSecret: "s" })).toBe("");
});

test("a pasted file goes as it is", () => {
  const draft = { ...draftOf(), file: "clouds: {}\n", which: " oak ", region: "north" };
  expect(signInOf(draft)).toEqual({ clouds_yaml: "clouds: {}\n", cloud: "oak", region: "north", ca: null });
});

test("fields go as a clouds.yaml, whatever signs are in them", () => {
  const draft = {
    ...draftOf(),
    from: "fields" as const,
    address: "https://oak.example:5000",
    credentialId: "i",
    credentialSecret: "a: \"b\" # 'c'",
  };
  const sent = signInOf(draft);
  expect(sent.cloud).toBe("cloud");
  expect(JSON.parse(sent.clouds_yaml).clouds.cloud.auth).toEqual({
    auth_url: "https://oak.example:5000",
    application_credential_id: "i",
    application_credential_secret: "a: \"b\" # 'c'",
  });
});

test("how desktops are reached goes as a whole, the jump host only when it is another", () => {
  const jump = { host: "gate", port: 22, user: "oriel", host_key: "ssh-ed25519 AAAA" };
  const cloud = { reach: { gateways: ["192.0.2.7/32"], shelve: true, jump } } as Parameters<
    typeof reachOf
  >[0];
  const kept = reachOf(cloud);
  expect(reachFault(kept)).toBe("");
  expect(reachChange(kept)).toEqual({ gateways: ["192.0.2.7/32"], shelve: true, without_jump: false });
  expect(reachChange({ ...kept, jump: "", from: " " })).toEqual({
    gateways: [],
    shelve: true,
    without_jump: true,
  });
  const other = { ...kept, jump: "new" as const, host: "gate2", user: "o", from: "10.0.0.0/8, 192.0.2.1" };
  expect(reachFault(other)).toContain("private key");
  const whole = { ...other, key: "-----BEGIN OPENSSH PRIVATE KEY-----\n" };
  expect(reachFault({ ...whole, port: "70000" })).toContain("65535");
  expect(reachFault(whole)).toBe("");
  expect(reachChange(whole)).toMatchObject({
    gateways: ["10.0.0.0/8", "192.0.2.1"],
    without_jump: false,
    jump: { host: "gate2", port: 22, user: "o", passphrase: null, host_key: null },
  });
});
