/** `lab/board door`: what the machine within is asked for, one line each way. */
import { connect } from "node:net";
import { PATIENCE_MS, SLOW, until } from "./cases.mjs";

/** While it boots: what is sent to a machine without a network is sent again ever more rarely, so that a new call is sooner there. */
const FIRST_ANSWER_MS_MAX = 5_000 * SLOW;

export class Door {
  #socket;
  #text = "";
  #answered = null;

  constructor(port) {
    this.#socket = connect(port, "127.0.0.1");
    this.#socket.setEncoding("utf8");
    this.#socket.setNoDelay(true);
    this.#socket.on("data", (piece) => {
      this.#text += piece;
      const end = this.#text.indexOf("\n");
      if (end < 0) return;
      this.#answer(this.#text.slice(0, end));
      this.#text = this.#text.slice(end + 1);
    });
    this.#socket.on("timeout", () => this.#socket.destroy());
    this.#socket.on("error", () => undefined);
    this.#socket.on("close", () => this.#answer(null));
  }

  #answer(line) {
    this.#answered?.(line);
    this.#answered = null;
  }

  /** Once somebody answers behind it: QEMU accepts connections before its machine has booted. */
  static open(port, ms) {
    return until(
      "the machine within opens its door",
      async () => {
        const door = new Door(port);
        await door.#asked(["alive"], FIRST_ANSWER_MS_MAX);
        return door;
      },
      ms,
    );
  }

  /** One question at a time. */
  ask(...what) {
    return this.#asked(what, PATIENCE_MS);
  }

  async #asked(what, ms) {
    if (this.#socket.destroyed) throw new Error("the machine within has gone");
    const answered = new Promise((resolve) => {
      this.#answered = resolve;
    });
    this.#socket.setTimeout(ms);
    this.#socket.write(`${JSON.stringify(what)}\n`);
    const line = await answered;
    this.#socket.setTimeout(0);
    if (line === null) throw new Error(`the machine within did not answer to ${what[0]}`);
    const answer = JSON.parse(line);
    if (answer.error !== undefined) throw new Error(`${what.join(" ")}: ${answer.error}`);
    return answer.said;
  }

  close() {
    this.#socket.destroy();
  }
}
