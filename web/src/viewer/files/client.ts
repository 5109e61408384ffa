/** A desktop's files over HTTP. Paths are below the folder that may be seen, names separated by slashes. */
import { ApiError } from "../api";

/** What the machine's account has, or what lies on the drive of the open RDP session. */
export type FilePlace = "machine" | "drive";
export type Entry = {
  name: string;
  kind: "file" | "folder" | "link" | "other";
  size: number;
  modified_at: string | null;
};
export type Listing = {
  path: string;
  root: string;
  files: Entry[];
  cut: boolean;
  may_upload: boolean;
  may_download: boolean;
};
export type Progress = { offset: number; complete: boolean };

const ANSWER_MS = 60_000;
/** The server answers a piece when it has all of it, or after 20 s. */
const PIECE_MS = 40_000;

/** What went wrong, and what to do about it, as sentences. */
export function words(error: unknown): string {
  if (!(error instanceof ApiError)) return String(error);
  const sentence = (text: string) => text && `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
  const what = error.detail || error.title;
  return [sentence(what), sentence(error.nextStep)].filter(Boolean).join(" ");
}

export class FilesClient {
  #csrf = "";
  readonly #base: string;

  constructor(
    desktop: string,
    private readonly place: FilePlace = "machine",
  ) {
    this.#base = `/api/v1/desktops/${encodeURIComponent(desktop)}/files`;
  }

  #query(fields: Record<string, string>): URLSearchParams {
    return new URLSearchParams({ ...fields, ...this.#where });
  }

  get #where(): { place?: FilePlace } {
    return this.place === "machine" ? {} : { place: this.place };
  }

  list(path: string): Promise<Listing> {
    return this.#call<Listing>("GET", `?${this.#query({ path })}`);
  }

  /** Of a link, what it leads to. */
  entry(path: string): Promise<Entry> {
    return this.#call<Entry>("GET", `/entry?${this.#query({ path })}`);
  }

  remove(path: string): Promise<void> {
    return this.#call("DELETE", `?${this.#query({ path })}`);
  }

  rename(from: string, to: string): Promise<void> {
    return this.#call("POST", "/move", { from, to, ...this.#where });
  }

  folder(path: string): Promise<void> {
    return this.#call("POST", "/folder", { path, ...this.#where });
  }

  /** Where the browser saves a file from. */
  address(path: string): string {
    return `${this.#base}/content?${this.#query({ path })}`;
  }

  /** The file from an offset on, where it is still the one that `known` (an `ETag`) names; the whole of it where it is not. */
  async content(path: string, offset: number, known: string, stopped: AbortSignal): Promise<Response> {
    const headers: Record<string, string> =
      offset > 0 ? { Range: `bytes=${offset}-`, "If-Range": known } : {};
    return request(this.address(path), { headers, signal: stopped });
  }

  uploaded(path: string, tag: string, stopped?: AbortSignal): Promise<Progress> {
    return this.#call<Progress>(
      "GET",
      `/upload?${this.#query({ path, tag })}`,
      undefined,
      ANSWER_MS,
      stopped,
    );
  }

  piece(
    path: string,
    tag: string,
    offset: number,
    size: number,
    bytes: Blob,
    replace: boolean,
    stopped?: AbortSignal,
  ): Promise<Progress> {
    const query = this.#query({ path, tag, offset: String(offset), size: String(size) });
    if (replace) query.set("replace", "true");
    return this.#call<Progress>("PUT", `/upload?${query}`, bytes, PIECE_MS, stopped);
  }

  abandon(path: string, tag: string): Promise<void> {
    return this.#call("DELETE", `/upload?${this.#query({ path, tag })}`);
  }

  async #call<T>(
    method: string,
    path: string,
    body?: object,
    milliseconds = ANSWER_MS,
    stopped?: AbortSignal,
  ): Promise<T> {
    const change = method !== "GET";
    const late = AbortSignal.timeout(milliseconds);
    const signal = stopped ? AbortSignal.any([stopped, late]) : late;
    if (change && !this.#csrf) this.#csrf = (await answer<{ csrf: string }>("/api/v1/me", { signal })).csrf;
    const headers: Record<string, string> = { Accept: "application/json" };
    if (change) headers["X-Oriel-Csrf"] = this.#csrf;
    const raw = body instanceof Blob;
    if (body) headers["Content-Type"] = raw ? "application/octet-stream" : "application/json";
    try {
      return await answer<T>(`${this.#base}${path}`, {
        method,
        headers,
        body: body === undefined ? null : raw ? body : JSON.stringify(body),
        signal,
      });
    } catch (error) {
      // Signed in anew in another tab: the token is asked for again next time.
      if (error instanceof ApiError && error.code === "bad_csrf_token") this.#csrf = "";
      throw error;
    }
  }
}

async function answer<T>(address: string, asked: RequestInit): Promise<T> {
  const reply = await request(address, asked);
  return (await reply.json().catch(() => null)) as T;
}

/** An answer that is a success. */
async function request(address: string, asked: RequestInit): Promise<Response> {
  let reply: Response;
  try {
    reply = await fetch(address, asked);
  } catch {
    throw noAnswer();
  }
  if (reply.ok) return reply;
  const content = (await reply.json().catch(() => null)) as Record<string, unknown> | null;
  const text = (name: string) => (typeof content?.[name] === "string" ? (content[name] as string) : "");
  const title = text("title") || `The server answered ${reply.status}`;
  throw new ApiError(reply.status, text("code"), title, text("detail"), text("next_step"));
}

export function noAnswer(): ApiError {
  return new ApiError(
    0,
    "no_answer",
    "No answer from the server",
    "",
    "look at your network, then try again",
  );
}
