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
export type GuestRole = "view" | "control";
/** A ticket to somebody else's connection. */
export type GuestTicket = Ticket & { desktop: string; owner: string; role: GuestRole; asks: boolean };
/** `guests`: for people without an account. */
export type Invite = {
  id: string;
  role: GuestRole;
  guests?: boolean;
  created_at: string;
  expires_at: string;
};
export type InviteLink = { invite: Invite; path: string };

/** How this page comes to its connection: it is the person's own, somebody sent a link, or an administrator looks on. */
export type Way =
  /** With `app`, a program that the desktop's pool publishes, by its id. */
  | { by: "own"; app?: string }
  | { by: "invite"; token: string }
  | { by: "shadow"; session: string; control: boolean }
  /** Without an account, under the name that they say. */
  | { by: "guest"; secret: string; name: string };

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

  /** With `app`, a program that the desktop's pool publishes instead of the whole desktop. */
  connect(id: string, kind: ConnectionKind, resume?: string, app?: string): Promise<Ticket> {
    const body = { kind, ...(resume ? { resume } : {}), ...(app ? { app } : {}) };
    return this.#change<Ticket>("POST", `/desktops/${encodeURIComponent(id)}/connect`, body);
  }

  /** A ticket to somebody else's connection. */
  join(way: Exclude<Way, { by: "own" }>): Promise<GuestTicket> {
    if (way.by === "invite") return this.#change("POST", `/invites/${encodeURIComponent(way.token)}/connect`);
    if (way.by === "guest") {
      // With nobody's session: also who is signed in in this browser is a guest here.
      const body = { secret: way.secret, name: way.name };
      return call<Omit<GuestTicket, "desktop" | "asks">>("POST", "/guests/knock", undefined, body).then(
        (ticket) => ({ ...ticket, desktop: "", asks: true }),
      );
    }
    const path = `/sessions/${encodeURIComponent(way.session)}/shadow`;
    return this.#change("POST", path, { control: way.control });
  }

  async invites(connection: string): Promise<Invite[]> {
    return (await call<{ invites: Invite[] }>("GET", `/sessions/${encodeURIComponent(connection)}/invites`))
      .invites;
  }

  /** `guests`: for people without an account. */
  invite(connection: string, role: GuestRole, minutes: number, guests: boolean): Promise<InviteLink> {
    const body = { role, minutes, ...(guests ? { guests } : {}) };
    return this.#change("POST", `/sessions/${encodeURIComponent(connection)}/invites`, body);
  }

  revoke(connection: string, invite: string): Promise<void> {
    const path = `/sessions/${encodeURIComponent(connection)}/invites/${encodeURIComponent(invite)}`;
    return this.#change("DELETE", path);
  }

  async #change<T>(method: string, path: string, body?: unknown): Promise<T> {
    if (!this.#csrf) await this.#me();
    const send = () => call<T>(method, path, this.#csrf, body);
    try {
      return await send();
    } catch (error) {
      // Signed out and in again in another tab: the token is a new one.
      if (!(error instanceof ApiError) || error.status !== 403) throw error;
      const before = this.#csrf;
      await this.#me();
      if (this.#csrf === before) throw error;
      return send();
    }
  }

  async #me(): Promise<void> {
    this.#csrf = (await call<{ csrf: string }>("GET", "/me")).csrf;
  }
}
