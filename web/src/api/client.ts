/**
 * The one way the console talks to the server: typed by the API's own description, every failure a [`Problem`].
 */
import createClient from "openapi-fetch";
import { isProblemBody, Problem, unreachable } from "./problem";
import type { components, paths } from "./schema";

export type Schemas = components["schemas"];

let csrf = "";

/** The value of `me.csrf`: sent with every change. */
export function setCsrf(value: string) {
  csrf = value;
}

// `fetch` is looked up at each call, so that tests can replace it.
export const client = createClient<paths>({
  baseUrl: globalThis.location?.origin ?? "http://localhost",
  fetch: (request) => globalThis.fetch(request),
});

client.use({
  onRequest({ request }) {
    if (request.method !== "GET" && csrf) request.headers.set("X-Oriel-Csrf", csrf);
    return request;
  },
});

interface Answer<T> {
  data?: T | undefined;
  error?: unknown;
  response: Response;
}

/** The body of a good answer; anything else is thrown as a `Problem`. */
export async function answer<T>(asked: Promise<Answer<T>>): Promise<T> {
  let got: Answer<T>;
  try {
    got = await asked;
  } catch {
    throw unreachable();
  }
  if (!got.response.ok) throw toProblem(got.error, got.response.status);
  return got.data as T;
}

function toProblem(body: unknown, status: number): Problem {
  if (isProblemBody(body)) return new Problem(body);
  return new Problem({
    status,
    code: "unexpected_answer",
    title: "Unexpected answer",
    detail: `the server answered ${status} without saying why`,
    next_step: "try again; if it stays, look at the server's log",
  });
}
