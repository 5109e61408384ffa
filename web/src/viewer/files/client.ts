/** A desktop's files over HTTP. Paths are below the folder that may be seen, names separated by slashes. */
import { ApiError } from "../api";

export type Entry = {
  name: string;
  kind: "file" | "folder" | "link" | "other";
  size: number;
  modified_at: string | null;
};
export type Listing = { path: string; root: string; files: Entry[]; cut: boolean };
export type Progress = { offset: number; complete: boolean };

const LIST_MS = 60_000;
/** The server answers a piece when it has all of it, within 30 s. */
const PIECE_MS = 40_000;

/** The name of something in a folder. */
export function join(folder: string, name: string): string {
  return folder ? `${folder}/${name}` : name;
}

export function parent(path: string): string {
  const at = path.lastIndexOf("/");
  return at < 0 ? "" : path.slice(0, at);
}

export class FilesClient {
  #csrf = "";
  readonly #base: string;

  constructor(desktop: string) {
    this.#base = `/api/v1/desktops/${encodeURIComponent(desktop)}/files`;
  }

  list(path: string): Promise<Listing> {
    return this.#call<Listing>("GET", `?${new URLSearchParams({ path })}`);
  }

  remove(path: string): Promise<void> {
    return this.#call("DELETE", `?${new URLSearchParams({ path })}`);
  }

  rename(from: string, to: string): Promise<void> {
    return this.#call("POST", "/move", { from, to });
  }

  folder(path: string): Promise<void> {
    return this.#call("POST", "/folder", { path });
  }

  /** Where the browser saves a file from. */
  address(path: string): string {
    return `${this.#base}/content?${new URLSearchParams({ path })}`;
  }

  uploaded(path: string, tag: string): Promise<Progress> {
    return this.#call<Progress>("GET", `/upload?${new URLSearchParams({ path, tag })}`);
  }

  piece(path: string, tag: string, offset: number, size: number, bytes: Blob): Promise<Progress> {
    const query = new URLSearchParams({ path, tag, offset: String(offset), size: String(size) });
    return this.#call<Progress>("PUT", `/upload?${query}`, bytes);
  }

  abandon(path: string, tag: string): Promise<void> {
    return this.#call("DELETE", `/upload?${new URLSearchParams({ path, tag })}`);
  }

  async #call<T>(method: string, path: string, body?: object): Promise<T> {
    if (method !== "GET" && !this.#csrf) this.#csrf = (await answer<{ csrf: string }>("/api/v1/me", {})).csrf;
    const headers: Record<string, string> = { Accept: "application/json" };
    if (method !== "GET") headers["X-Oriel-Csrf"] = this.#csrf;
    const raw = body instanceof Blob;
    if (body && !raw) headers["Content-Type"] = "application/json";
    try {
      return await answer<T>(`${this.#base}${path}`, {
        method,
        headers,
        body: body === undefined ? null : raw ? body : JSON.stringify(body),
        signal: AbortSignal.timeout(raw ? PIECE_MS : LIST_MS),
      });
    } catch (error) {
      // Signed in anew in another tab: ask for the token again next time.
      if (error instanceof ApiError && error.status === 403) this.#csrf = "";
      throw error;
    }
  }
}

async function answer<T>(address: string, request: RequestInit): Promise<T> {
  let reply: Response;
  try {
    reply = await fetch(address, request);
  } catch {
    throw new ApiError(0, "no_answer", "No answer from the server", "", "");
  }
  const content = (await reply.json().catch(() => null)) as Record<string, unknown> | null;
  if (reply.ok) return content as T;
  const text = (name: string) => (typeof content?.[name] === "string" ? (content[name] as string) : "");
  const title = text("title") || `The server answered ${reply.status}`;
  throw new ApiError(reply.status, text("code"), title, text("detail"), text("next_step"));
}
