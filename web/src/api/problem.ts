/** What the server says when it does not do what was asked (`application/problem+json`, RFC 9457). */
export interface ProblemBody {
  status: number;
  code: string;
  title: string;
  detail: string;
  next_step: string;
}

export class Problem extends Error {
  override name = "Problem";
  readonly status: number;
  readonly code: string;
  readonly title: string;
  readonly detail: string;
  readonly nextStep: string;

  constructor(body: ProblemBody) {
    super(body.detail || body.title);
    this.status = body.status;
    this.code = body.code;
    this.title = body.title;
    this.detail = body.detail;
    this.nextStep = body.next_step;
  }
}

export function isProblemBody(body: unknown): body is ProblemBody {
  if (typeof body !== "object" || body === null) return false;
  const it = body as Record<string, unknown>;
  return typeof it.code === "string" && typeof it.detail === "string" && typeof it.status === "number";
}

/** No answer at all: the network, or the server is not running. */
export function unreachable(): Problem {
  return new Problem({
    status: 0,
    code: "unreachable",
    title: "No answer from the server",
    detail: "the server did not answer",
    next_step: "check the network and that Oriel is running; this page tries again by itself",
  });
}

/** Any thrown thing as a `Problem`, so that pages handle one kind. */
export function asProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  return new Problem({
    status: 0,
    code: "page_error",
    title: "This page has an error",
    detail: error instanceof Error ? error.message : String(error),
    next_step: "reload the page; if it stays, report it",
  });
}

/** Error texts of the server start lowercase and end without a stop; on a page they are sentences. */
export function sentence(text: string): string {
  const trimmed = text.trim();
  if (trimmed === "") return "";
  const upper = trimmed.charAt(0).toUpperCase() + trimmed.slice(1);
  return /[.!?:]$/.test(upper) ? upper : `${upper}.`;
}
