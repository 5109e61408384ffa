import { afterEach, expect, test, vi } from "vitest";
import { answer, client, setCsrf } from "./client";
import { Problem, sentence } from "./problem";

afterEach(() => vi.unstubAllGlobals());

function replying(status: number, body: unknown) {
  const asked: Request[] = [];
  vi.stubGlobal("fetch", async (request: Request) => {
    asked.push(request);
    const text = body === undefined ? null : JSON.stringify(body);
    return new Response(text, { status, headers: { "Content-Type": "application/json" } });
  });
  return asked;
}

const refusal = (asked: Promise<unknown>) =>
  asked.then(
    () => expect.unreachable(),
    (error: unknown) => error as Problem,
  );

test("changes carry the CSRF value, reads do not", async () => {
  const asked = replying(200, { desktops: [] });
  setCsrf("secret");
  await answer(client.GET("/api/v1/desktops", {} as never));
  await answer(client.POST("/api/v1/logout"));
  expect(asked.map((request) => request.headers.get("X-Oriel-Csrf"))).toEqual([null, "secret"]);
});

test("a refusal is a Problem with its code and next step", async () => {
  replying(409, {
    type: "about:blank",
    title: "Conflict",
    status: 409,
    code: "image_in_use",
    detail: "d",
    next_step: "n",
  });
  const problem = await refusal(answer(client.GET("/api/v1/images")));
  expect(problem).toBeInstanceOf(Problem);
  expect([problem.code, problem.nextStep, problem.status]).toEqual(["image_in_use", "n", 409]);
});

test("a refusal without words is still said", async () => {
  replying(502, "<html>");
  expect((await refusal(answer(client.GET("/api/v1/images")))).code).toBe("unexpected_answer");
});

test("silence is said to be silence", async () => {
  vi.stubGlobal("fetch", () => Promise.reject(new TypeError("Failed to fetch")));
  expect((await refusal(answer(client.GET("/api/v1/images")))).code).toBe("unreachable");
});

test("the server's words become sentences", () => {
  expect(sentence("the image is in use")).toBe("The image is in use.");
  expect(sentence("Ready?")).toBe("Ready?");
  expect(sentence(" ")).toBe("");
});
