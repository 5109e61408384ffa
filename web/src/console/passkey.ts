/**
 * Passkeys, between the browser's `navigator.credentials` and the API: bytes there, base64url here (Web Authentication, level 3,
 * sections 5.1.8 to 5.1.10). Browsers learned to convert by themselves only lately, and not all of them have.
 */
import type { Schemas } from "../api/client";
import { Problem } from "../api/problem";

type Question = Schemas["PasskeyRequestOptions"];
type Creation = Schemas["PasskeyCreationOptions"];

export function toBase64url(bytes: ArrayBuffer): string {
  let text = "";
  for (const byte of new Uint8Array(bytes)) text += String.fromCharCode(byte);
  return btoa(text).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/** Throws on what is not base64url. */
export function fromBase64url(text: string): ArrayBuffer {
  if (!/^[A-Za-z0-9_-]*$/.test(text)) throw new Error("this is not base64url");
  const plain = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  const bytes = new Uint8Array(plain.length);
  for (let at = 0; at < plain.length; at++) bytes[at] = plain.charCodeAt(at);
  return bytes.buffer;
}

const descriptors = (list: Schemas["PasskeyDescriptor"][]): PublicKeyCredentialDescriptor[] =>
  list.map((one) => ({
    type: "public-key",
    id: fromBase64url(one.id),
    ...(one.transports.length > 0 ? { transports: one.transports as AuthenticatorTransport[] } : {}),
  }));

/** What is asked, as `navigator.credentials.get` takes it. */
export function requestOptions(asked: Question): PublicKeyCredentialRequestOptions {
  return {
    challenge: fromBase64url(asked.challenge),
    timeout: asked.timeout,
    rpId: asked.rpId,
    allowCredentials: descriptors(asked.allowCredentials),
    userVerification: asked.userVerification as UserVerificationRequirement,
  };
}

/** What is to be made, as `navigator.credentials.create` takes it. */
export function creationOptions(asked: Creation): PublicKeyCredentialCreationOptions {
  const selection = asked.authenticatorSelection;
  return {
    rp: asked.rp,
    user: { id: fromBase64url(asked.user.id), name: asked.user.name, displayName: asked.user.displayName },
    challenge: fromBase64url(asked.challenge),
    pubKeyCredParams: asked.pubKeyCredParams.map(({ alg }) => ({ type: "public-key", alg })),
    timeout: asked.timeout,
    excludeCredentials: descriptors(asked.excludeCredentials),
    authenticatorSelection: {
      residentKey: selection.residentKey as ResidentKeyRequirement,
      userVerification: selection.userVerification as UserVerificationRequirement,
    },
    attestation: asked.attestation as AttestationConveyancePreference,
    extensions: { credProps: asked.extensions.credProps },
  };
}

/** What the API takes of a passkey that was used. */
export function shown(credential: PublicKeyCredential): Schemas["PasskeyCredential"] {
  const response = credential.response as AuthenticatorAssertionResponse;
  return {
    id: toBase64url(credential.rawId),
    response: {
      clientDataJSON: toBase64url(response.clientDataJSON),
      authenticatorData: toBase64url(response.authenticatorData),
      signature: toBase64url(response.signature),
      userHandle: response.userHandle ? toBase64url(response.userHandle) : null,
    },
  };
}

/** What the API takes of a passkey that was made. */
export function made(credential: PublicKeyCredential): Schemas["PasskeyMadeCredential"] {
  const response = credential.response as AuthenticatorAttestationResponse;
  const rk = credential.getClientExtensionResults().credProps?.rk ?? null;
  return {
    response: {
      clientDataJSON: toBase64url(response.clientDataJSON),
      attestationObject: toBase64url(response.attestationObject),
      // Older browsers have none.
      transports: response.getTransports?.() ?? null,
    },
    clientExtensionResults: { credProps: { rk } },
  };
}

/** The browser asks the person for a passkey. Throws a `Problem` where nothing comes of it. */
export async function ask(asked: Question): Promise<Schemas["PasskeyCredential"]> {
  const publicKey = requestOptions(asked);
  const got = await navigator.credentials.get({ publicKey }).catch((error) => {
    throw notShown(error);
  });
  if (!got) throw notShown(null);
  return shown(got as PublicKeyCredential);
}

/** The browser asks the person to make a passkey. Throws a `Problem` where nothing comes of it. */
export async function make(asked: Creation): Promise<Schemas["PasskeyMadeCredential"]> {
  const publicKey = creationOptions(asked);
  const got = await navigator.credentials.create({ publicKey }).catch((error) => {
    throw notShown(error);
  });
  if (!got) throw notShown(null);
  return made(got as PublicKeyCredential);
}

/** Browsers say little on purpose: sites should not learn what a person has. */
export function notShown(error: unknown): Problem {
  const name = error instanceof Error || error instanceof DOMException ? error.name : "";
  const [code, detail, next_step] =
    name === "InvalidStateError"
      ? ["passkey_known", "this device has a passkey for your account already", "use it, or another device"]
      : name === "SecurityError"
        ? [
            "no_passkeys_here",
            "the browser keeps no passkeys for this address",
            "open Oriel by its host name",
          ]
        : ["passkey_cancelled", "no passkey came of it", "try again, and answer what your browser asks"];
  return new Problem({ status: 409, title: "Passkey", code, detail, next_step });
}

/** Where somebody is, as far as it matters here. */
interface Place {
  hostname: string;
  secure: boolean;
  able: boolean;
}

const here = (): Place => ({
  hostname: location.hostname,
  secure: window.isSecureContext,
  able: typeof window.PublicKeyCredential === "function",
});

/** Why there are no passkeys at this address, in a sentence, or "". */
export function hindrance({ hostname, secure, able }: Place = here()): string {
  // Browsers write every IPv4 address in four numbers, and IPv6 in brackets.
  if (/^\d+(\.\d+){3}$/.test(hostname) || hostname.startsWith("["))
    return "Passkeys belong to a host name, and this address is a number: open Oriel by its name to use them.";
  if (!secure) return "Browsers keep passkeys for encrypted pages only: open Oriel over https to use them.";
  if (!able) return "This browser knows no passkeys.";
  return "";
}

/** What a passkey that is made here might be called. */
export function suggestion(agent: string): string {
  const first = (of: [mark: string, name: string][]) => of.find(([mark]) => agent.includes(mark))?.[1];
  return (
    first([
      ["iPhone", "iPhone"],
      ["iPad", "iPad"],
      ["Android", "Android phone"],
      ["Windows", "Windows computer"],
      ["Mac OS X", "Mac"],
      ["Linux", "Linux computer"],
    ]) ?? "Passkey"
  );
}
