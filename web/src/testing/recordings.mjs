// Recordings of the mock: containers as docs/recording-format.md has them, of a screen and of a terminal.

function block(kind, key, number, payload) {
  const head = Buffer.alloc(16);
  head.write("ORec", 0, "latin1");
  head[4] = kind;
  head[5] = key ? 1 : 0;
  head.writeUInt32LE(number, 8);
  head.writeUInt32LE(payload.length, 12);
  return Buffer.concat([head, payload]);
}

/** `chunks`: `{ key, first, last, payload }`. Answers the bytes and what the index says. */
function container(kind, title, chunks) {
  const head = Buffer.alloc(44);
  head[0] = 1;
  head[1] = kind;
  let size = 0;
  const parts = [];
  const add = (bytes) => {
    parts.push(bytes);
    size += bytes.length;
  };
  add(block(1, false, 0, Buffer.concat([head, Buffer.from(title)])));
  const index = chunks.map(({ key, first, last, payload }, at) => {
    const times = Buffer.alloc(8);
    times.writeUInt32LE(first, 0);
    times.writeUInt32LE(last, 4);
    const bytes = block(2, key, at + 1, Buffer.concat([times, payload]));
    const entry = { offset: size, length: bytes.length, first_ms: first, last_ms: last, key };
    add(bytes);
    return entry;
  });
  return { bytes: Buffer.concat(parts), chunks: index };
}

function record(type, ...fields) {
  const payload = Buffer.concat(fields);
  const head = Buffer.alloc(5);
  head[0] = type;
  head.writeUInt32LE(payload.length, 1);
  return Buffer.concat([head, payload]);
}
const u16 = (...values) => {
  const out = Buffer.alloc(values.length * 2);
  for (const [at, value] of values.entries()) out.writeUInt16LE(value, at * 2);
  return out;
};
const fill = (x, y, w, h, rgb) => record(0x12, u16(x, y, w, h), Buffer.from(rgb));
function entry(ms, ...records) {
  const message = Buffer.concat(records);
  const head = Buffer.alloc(8);
  head.writeUInt32LE(ms, 0);
  head.writeUInt32LE(message.length, 4);
  return Buffer.concat([head, message]);
}

const WIDTH = 960;
const HEIGHT = 600;
/** The colour of the moving square at a second. */
export const squareAt = (second) => [255 - second * 5, 40 + second * 5, 90];

const text = (type, words) => record(type, Buffer.from(words));
/** What was typed and copied then. */
function typedAt(ms) {
  if (ms === 5000) return [text(0x60, "hunter2"), text(0x60, "⟨Enter⟩")];
  if (ms === 9000)
    return [text(0x61, "from the person's clipboard"), text(0x62, "from the machine's clipboard")];
  return [];
}

/** Forty seconds: a square that moves each half second, and nothing at all from second 15 to 27. */
function screen() {
  let sequence = 0;
  const end = () => {
    const number = Buffer.alloc(4);
    number.writeUInt32LE(++sequence, 0);
    return record(0x30, number);
  };
  const place = (half) => [40 + (half % 40) * 18, 120 + ((half * 37) % 240)];
  const desk = () => [
    fill(0, 0, WIDTH, HEIGHT, [38, 50, 64]),
    fill(0, 0, WIDTH, 28, [22, 28, 36]),
    fill(12, 8, 120, 12, [120, 134, 150]),
    fill(200, 90, 560, 400, [236, 239, 243]),
    fill(200, 90, 560, 26, [70, 96, 130]),
  ];
  const square = (half) => {
    const [x, y] = place(half);
    return fill(x, y, 90, 90, squareAt(Math.floor(half / 2)));
  };
  const chunks = [];
  for (let from = 0; from < 80; from += 10) {
    const key = from % 20 === 0;
    const entries = [];
    for (let half = from; half < from + 10; half += 1) {
      const ms = half * 500;
      if (ms > 15_000 && ms < 27_000) continue;
      const [x, y] = place(half);
      const pointer = record(0x15, u16(x + 45, y + 45));
      const whole = half === from && key ? [record(0x02, u16(WIDTH, HEIGHT))] : [];
      entries.push([ms, entry(ms, ...whole, ...desk(), square(half), end(), pointer, ...typedAt(ms))]);
    }
    if (entries.length === 0) continue;
    chunks.push({
      key: key && entries[0][0] === from * 500,
      first: entries[0][0],
      last: entries.at(-1)[0],
      payload: Buffer.concat(entries.map(([, bytes]) => bytes)),
    });
  }
  return container(0, "studio-1", chunks);
}

function terminal() {
  const line = (seconds, kind, text) => `${JSON.stringify([seconds, kind, text])}\n`;
  const header = { version: 2, width: 80, height: 24, timestamp: 1_790_000_000, title: "studio-4" };
  const prompt = "\x1b[1;32mmira@studio-4\x1b[0m:\x1b[1;34m~\x1b[0m$ ";
  const first =
    `${JSON.stringify(header)}\n` +
    line(0.2, "o", prompt) +
    line(1, "i", "uname -a\r") +
    line(1.1, "o", "uname -a\r\n") +
    line(1.2, "o", "Linux studio-4 6.12.0-amd64 #1 SMP x86_64 GNU/Linux\r\n") +
    line(1.3, "o", prompt);
  const second =
    line(12, "o", "ls --color\r\n") +
    line(12.1, "o", "\x1b[34mprojects\x1b[0m  \x1b[32mrender.sh\x1b[0m  notes.txt\r\n") +
    line(12.2, "o", prompt) +
    line(14, "r", "100x30") +
    line(15, "o", "./render.sh --frames 1-240\r\n") +
    line(16, "o", "frame 1 of 240 … \x1b[33mwarm-up\x1b[0m\r\n");
  return container(1, "studio-4", [
    { key: true, first: 0, last: 1300, payload: Buffer.from(first) },
    { key: false, first: 12_000, last: 16_000, payload: Buffer.from(second) },
  ]);
}

/** Rows of the API, each with its content behind `content`, which the mock does not send. */
export function recordings({ id, before, me, mira, desktops }) {
  const named = ({ id, name }) => ({ id, name });
  const row = (made, more) => ({
    id: id(),
    pool: { id: desktops[0].pool.id, name: desktops[0].pool.name },
    kind: "rdp",
    state: "ended",
    bytes: made.bytes.length * 900,
    duration_ms: made.chunks.at(-1).last_ms,
    bucket: null,
    moved_bytes: 0,
    content: made,
    ...more,
  });
  const desktop = (at, name) => ({ id: desktops[at].id, name });
  return [
    row(screen(), {
      user: named(me),
      desktop: desktop(0, "studio-1"),
      state: "recording",
      started_at: before(1),
      ended_at: null,
    }),
    row(terminal(), {
      user: named(mira),
      desktop: desktop(4, "studio-4"),
      kind: "ssh",
      started_at: before(90),
      ended_at: before(89),
    }),
    row(screen(), {
      user: named(mira),
      desktop: desktop(4, "studio-4"),
      state: "cut",
      started_at: before(3000),
      ended_at: before(2999),
    }),
    row(terminal(), {
      user: named(mira),
      desktop: desktop(4, "studio-4"),
      kind: "ssh",
      started_at: before(9000),
      ended_at: before(8999),
    }),
  ];
}

/** What the mock answers of a recording below its own address; null for what there is not. */
/** Exports, which are made within a few looks. */
function ofExports(content, [one, what], request, body, response) {
  content.exports ??= [];
  if (request.method === "POST") {
    const made = { id: crypto.randomUUID(), ...body, state: "queued", progress: 0, step: "waiting" };
    content.exports.unshift({ skip_idle: false, ...made, error: null, bytes: 0, until: null });
    return { ...operationOf(made), title: "Export a recording" };
  }
  if (what === "content") {
    response.writeHead(200, {
      "Content-Type": "video/mp4",
      "Content-Disposition": "attachment; filename=film.mp4",
    });
    response.end("a film");
    return undefined;
  }
  if (request.method === "DELETE") {
    content.exports = content.exports.filter(({ id }) => id !== one);
    response.writeHead(204);
    response.end();
    return undefined;
  }
  for (const made of content.exports.filter(({ state }) => state !== "done")) {
    made.progress = Math.min(1, made.progress + 0.4);
    made.state = made.progress < 1 ? "running" : "done";
    made.step = "making the film";
    if (made.state === "done") {
      made.bytes = 1_234_567;
      made.until = new Date(Date.now() + 7 * 24 * 3600 * 1000).toISOString();
    }
  }
  return { exports: content.exports.map((made) => ({ ...made })) };
}

const operationOf = ({ id }) => ({
  id,
  kind: "recording_export",
  state: "queued",
  progress: 0,
  step: "waiting",
  log: [],
  error: null,
  result: null,
  by: null,
  created_at: new Date().toISOString(),
  changed_at: new Date().toISOString(),
});

export function answer({ content, ...recording }, verb, request, response, body, parts) {
  if (verb === "index") {
    const { bytes, chunks } = content;
    return { recording, size: bytes.length, duration_ms: recording.duration_ms, chunks, typed: true };
  }
  if (verb === "exports") return ofExports(content, parts, request, body, response);
  if (verb !== "content") return null;
  const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "");
  const from = range ? Number(range[1]) : 0;
  const to = range ? Number(range[2]) + 1 : content.bytes.length;
  const part = content.bytes.subarray(from, to);
  response.writeHead(range ? 206 : 200, {
    "Content-Type": "application/vnd.oriel.recording",
    "Content-Length": part.length,
    ...(range ? { "Content-Range": `bytes ${from}-${to - 1}/${content.bytes.length}` } : {}),
  });
  response.end(part);
  return undefined;
}
