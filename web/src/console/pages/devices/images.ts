/** Places that images are uploaded to in pieces, a device's storage and a desktop's drive: `upload` of the viewer's files does the rest. */
import type { Schemas } from "../../../api/client";
import { ApiError } from "../../../viewer/api";
import type { Progress } from "../../../viewer/files/client";
import type { Destination } from "../../../viewer/files/upload";

const ANSWER_MS = 60_000;
/** The server answers a piece when the device has all of it, or after 20 s. */
const PIECE_MS = 40_000;

export class DeviceStorage implements Destination {
  readonly #base: string;

  constructor(
    machine: string,
    private readonly csrf: string,
  ) {
    this.#base = `/api/v1/machines/${encodeURIComponent(machine)}/device/upload`;
  }

  uploaded(name: string, tag: string, stopped?: AbortSignal): Promise<Progress> {
    return this.#call("GET", { name, tag }, undefined, ANSWER_MS, stopped);
  }

  piece(
    name: string,
    tag: string,
    offset: number,
    size: number,
    bytes: Blob,
    _replace: boolean,
    stopped?: AbortSignal,
  ): Promise<Progress> {
    const fields = { name, tag, offset: String(offset), size: String(size) };
    return this.#call("PUT", fields, bytes, PIECE_MS, stopped);
  }

  #call(
    method: "GET" | "PUT",
    fields: Record<string, string>,
    body: Blob | undefined,
    milliseconds: number,
    stopped?: AbortSignal,
  ): Promise<Progress> {
    return ask(
      `${this.#base}?${new URLSearchParams(fields)}`,
      method,
      this.csrf,
      body,
      milliseconds,
      stopped,
    );
  }
}

/** One request of an upload, which carries bytes rather than JSON. */
async function ask<T>(
  url: string,
  method: "GET" | "PUT",
  csrf: string,
  body: Blob | undefined,
  milliseconds: number,
  stopped?: AbortSignal,
): Promise<T> {
  const late = AbortSignal.timeout(milliseconds);
  let got: Response;
  try {
    got = await fetch(url, {
      method,
      headers: method === "GET" ? {} : { "X-Oriel-Csrf": csrf },
      body: body ?? null,
      signal: stopped ? AbortSignal.any([late, stopped]) : late,
    });
  } catch {
    throw new ApiError(0, "no_answer", "No answer from the server", "", "");
  }
  const content = (await got.json().catch(() => null)) as Record<string, unknown> | null;
  if (got.ok) return content as T;
  const text = (name: string) => (typeof content?.[name] === "string" ? (content[name] as string) : "");
  throw new ApiError(
    got.status,
    text("code"),
    text("title") || `The server answered ${got.status}`,
    text("detail"),
    text("next_step"),
  );
}

/** The images for a desktop's CD drive, on its host. They have no tags: what lies there from before is written anew. */
export class DriveImages implements Destination {
  readonly #base: string;
  #began = false;
  #whole = false;

  constructor(
    desktop: string,
    private readonly csrf: string,
  ) {
    this.#base = `/api/v1/desktops/${encodeURIComponent(desktop)}/drive`;
  }

  async uploaded(name: string, _tag: string, stopped?: AbortSignal): Promise<Progress> {
    // A first piece whose answer was lost is sent anew as well.
    if (!this.#began) return { offset: 0, complete: false };
    const drive = await ask<Schemas["DesktopDrive"]>(
      this.#base,
      "GET",
      this.csrf,
      undefined,
      ANSWER_MS,
      stopped,
    );
    const image = drive.images.find((one) => one.name === name);
    this.#whole = image?.complete ?? false;
    return { offset: image?.bytes ?? 0, complete: this.#whole };
  }

  async piece(
    name: string,
    _tag: string,
    offset: number,
    size: number,
    bytes: Blob,
    _replace: boolean,
    stopped?: AbortSignal,
  ): Promise<Progress> {
    // The answer to its last piece was lost: a whole image takes no more of them.
    if (this.#whole && offset === size) return { offset, complete: true };
    const fields = new URLSearchParams({ name, offset: String(offset), size: String(size) });
    const place = `${this.#base}/image?${fields}`;
    const now = await ask<Progress>(place, "PUT", this.csrf, bytes, PIECE_MS, stopped);
    this.#began = true;
    return now;
  }
}
