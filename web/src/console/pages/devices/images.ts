/** A device's storage as a place that files are uploaded to, in pieces: `upload` of the viewer's files does the rest. */
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

  async #call(
    method: "GET" | "PUT",
    fields: Record<string, string>,
    body: Blob | undefined,
    milliseconds: number,
    stopped?: AbortSignal,
  ): Promise<Progress> {
    const late = AbortSignal.timeout(milliseconds);
    let got: Response;
    try {
      got = await fetch(`${this.#base}?${new URLSearchParams(fields)}`, {
        method,
        headers: method === "GET" ? {} : { "X-Oriel-Csrf": this.csrf },
        body: body ?? null,
        signal: stopped ? AbortSignal.any([late, stopped]) : late,
      });
    } catch {
      throw new ApiError(0, "no_answer", "No answer from the server", "", "");
    }
    const content = (await got.json().catch(() => null)) as Record<string, unknown> | null;
    if (got.ok) return content as unknown as Progress;
    const text = (name: string) => (typeof content?.[name] === "string" ? (content[name] as string) : "");
    throw new ApiError(
      got.status,
      text("code"),
      text("title") || `The server answered ${got.status}`,
      text("detail"),
      text("next_step"),
    );
  }
}
