/** The few API calls the viewer makes. No generated client here: this page stays small. */

export type ConnectionKind = "rdp" | "vnc" | "ssh";
export type Step = { step: string; state: "done" | "now" | "todo" };
export type Desktop = {
  id: string;
  name: string;
  state: string;
  failure?: string | null;
  step?: string | null;
  start_steps?: Step[];
};
export type Ticket = { ticket: string; kind: ConnectionKind; path: string };

/** An answer of the API that is not a success, in its own words. `status` 0: no answer at all. */
export class ApiError extends Error {
  override name = "ApiError";
  constructor(
    readonly status: number,
    readonly code: string,
    readonly title: string,
    readonly detail: string,
    readonly nextStep: string,
  ) {
    super(detail || title);
  }
}

const NO_ANSWER_MS = 15_000;

async function call<T>(method: string, path: string, csrf?: string, body?: unknown): Promise<T> {
  let answer: Response;
  try {
    const headers: Record<string, string> = { Accept: "application/json" };
    if (csrf) headers["X-Oriel-Csrf"] = csrf;
    if (body !== undefined) headers["Content-Type"] = "application/json";
    answer = await fetch(`/api/v1${path}`, {
      method,
      headers,
      body: body === undefined ? null : JSON.stringify(body),
      signal: AbortSignal.timeout(NO_ANSWER_MS),
    });
  } catch {
    throw new ApiError(0, "no_answer", "No answer from the server", "", "");
  }
  const content = (await answer.json().catch(() => null)) as Record<string, unknown> | null;
  if (answer.ok) return content as T;
  const text = (name: string) => (typeof content?.[name] === "string" ? (content[name] as string) : "");
  throw new ApiError(
    answer.status,
    text("code"),
    text("title") || `The server answered ${answer.status}`,
    text("detail"),
    text("next_step"),
  );
}

export class Api {
  #csrf = "";

  desktop(id: string): Promise<Desktop> {
    return call<Desktop>("GET", `/desktops/${encodeURIComponent(id)}`);
  }

  async connect(id: string, kind: ConnectionKind, resume?: string): Promise<Ticket> {
    if (!this.#csrf) await this.#me();
    const post = () =>
      call<Ticket>(
        "POST",
        `/desktops/${encodeURIComponent(id)}/connect`,
        this.#csrf,
        resume ? { kind, resume } : { kind },
      );
    try {
      return await post();
    } catch (error) {
      // Signed out and in again in another tab: the token is a new one.
      if (!(error instanceof ApiError) || error.status !== 403) throw error;
      const before = this.#csrf;
      await this.#me();
      if (this.#csrf === before) throw error;
      return post();
    }
  }

  async #me(): Promise<void> {
    this.#csrf = (await call<{ csrf: string }>("GET", "/me")).csrf;
  }
}
