import { expect, test } from "vitest";
import {
  creationOptions,
  fromBase64url,
  hindrance,
  made,
  notShown,
  requestOptions,
  shown,
  suggestion,
  toBase64url,
} from "./passkey";

const buffer = (...bytes: number[]) => new Uint8Array(bytes).buffer;
const numbers = (of: BufferSource) => [...new Uint8Array(of as ArrayBuffer)];

test("bytes go to base64url and back", () => {
  for (const [bytes, text] of [
    [[], ""],
    [[0], "AA"],
    [[0xfb, 0xff], "-_8"],
    [[1, 2, 3], "AQID"],
    [[0xff, 0xfe, 0xfd, 0xfc], "__79_A"],
  ] as const) {
    expect(toBase64url(buffer(...bytes))).toBe(text);
    expect(numbers(fromBase64url(text))).toEqual([...bytes]);
  }
  const all = Array.from({ length: 256 }, (_, n) => n);
  expect(numbers(fromBase64url(toBase64url(buffer(...all))))).toEqual(all);
  for (const bad of ["+/8", "AA==", "a b", "ä", "A"]) expect(() => fromBase64url(bad)).toThrow();
});

test("what is asked becomes what browsers take", () => {
  const question = {
    challenge: "AQID",
    timeout: 300_000,
    rpId: "oriel.example",
    allowCredentials: [
      { id: "BAU", type: "public-key", transports: ["usb"] },
      { id: "Bg", type: "public-key", transports: [] },
    ],
    userVerification: "required",
  };
  const options = requestOptions(question);
  expect(numbers(options.challenge)).toEqual([1, 2, 3]);
  expect(options).toMatchObject({ rpId: "oriel.example", timeout: 300_000, userVerification: "required" });
  expect(options.allowCredentials?.map((one) => [numbers(one.id), one.transports])).toEqual([
    [[4, 5], ["usb"]],
    // Whoever knows no ways is not told that there are none.
    [[6], undefined],
  ]);
  const creation = creationOptions({
    rp: { id: "oriel.example", name: "Oriel" },
    user: { id: "BwgJ", name: "ada", displayName: "ada" },
    challenge: "AQID",
    pubKeyCredParams: [
      { type: "public-key", alg: -7 },
      { type: "public-key", alg: -257 },
    ],
    timeout: 1,
    excludeCredentials: [{ id: "Bg", type: "public-key", transports: ["internal"] }],
    authenticatorSelection: { residentKey: "preferred", userVerification: "preferred" },
    attestation: "none",
    extensions: { credProps: true },
  });
  expect(numbers(creation.user.id)).toEqual([7, 8, 9]);
  expect(creation.pubKeyCredParams.map(({ alg }) => alg)).toEqual([-7, -257]);
  expect(creation.excludeCredentials?.length).toBe(1);
  expect(creation).toMatchObject({ attestation: "none", extensions: { credProps: true } });
});

test("what browsers give becomes what the API takes", () => {
  const used = {
    rawId: buffer(1),
    response: {
      clientDataJSON: buffer(2),
      authenticatorData: buffer(3),
      signature: buffer(4),
      userHandle: null,
    },
  };
  expect(shown(used as unknown as PublicKeyCredential)).toEqual({
    id: "AQ",
    response: { clientDataJSON: "Ag", authenticatorData: "Aw", signature: "BA", userHandle: null },
  });
  const born = {
    rawId: buffer(1),
    response: { clientDataJSON: buffer(2), attestationObject: buffer(3) },
    getClientExtensionResults: () => ({ credProps: { rk: true } }),
  };
  expect(made(born as unknown as PublicKeyCredential)).toEqual({
    response: { clientDataJSON: "Ag", attestationObject: "Aw", transports: null },
    clientExtensionResults: { credProps: { rk: true } },
  });
});

test("where there can be none, a sentence says why", () => {
  const at = (hostname: string, secure = true, able = true) => hindrance({ hostname, secure, able });
  expect(at("oriel.example")).toBe("");
  expect(at("localhost")).toBe("");
  expect(at("127.0.0.1")).toContain("a number");
  expect(at("[::1]")).toContain("a number");
  expect(at("1.2.3.4.example")).toBe("");
  expect(at("oriel.example", false)).toContain("https");
  expect(at("oriel.example", true, false)).toContain("This browser");
});

test("what went wrong in the browser is said with what to do", () => {
  expect(notShown(new DOMException("", "InvalidStateError")).code).toBe("passkey_known");
  expect(notShown(new DOMException("", "NotAllowedError")).code).toBe("passkey_cancelled");
  expect(notShown(null).code).toBe("passkey_cancelled");
});

test("a passkey is called after where it is made", () => {
  expect(suggestion("Mozilla/5.0 (Linux; Android 15) Chrome/140.0")).toBe("Android phone");
  expect(suggestion("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Firefox/140.0")).toBe("Linux computer");
  expect(suggestion("")).toBe("Passkey");
});
