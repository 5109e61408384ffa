/** `lab/board door`: what the machine within is asked for, one line each way. */
import { once } from "node:events";
import { connect } from "node:net";
import { createInterface } from "node:readline";
import { until } from "./cases.mjs";

const ANSWER_MS_MAX = 60_000;
/** While it boots: what is sent to a machine without a network is sent again ever more rarely, so that a new call is sooner there. */
const FIRST_ANSWER_MS_MAX = 4_000;

export class Door {
  #lines;
  #socket;

  constructor(socket) {
    this.#socket = socket;
    this.#lines = createInterface({ input: socket })[Symbol.asyncIterator]();
  }

  /** Once somebody answers behind it: QEMU accepts connections before its machine has booted. */
  static async open(port, ms) {
    return until(
      "the machine within opens its door",
      async () => {
        const socket = connect(port, "127.0.0.1");
        await once(socket, "connect");
        // What goes wrong later is seen as a missing answer.
        socket.on("error", () => undefined);
        socket.on("timeout", () => socket.destroy());
        const door = new Door(socket);
        await door.#asked(["alive"], FIRST_ANSWER_MS_MAX);
        return door;
      },
      ms,
    );
  }

  /** One question at a time. */
  ask(...what) {
    return this.#asked(what, ANSWER_MS_MAX);
  }

  async #asked(what, ms) {
    this.#socket.setTimeout(ms);
    this.#socket.write(`${JSON.stringify(what)}\n`);
    const { value, done } = await this.#lines.next();
    this.#socket.setTimeout(0);
    if (done) throw new Error(`the machine within did not answer to ${what[0]}`);
    const answer = JSON.parse(value);
    if (answer.error !== undefined) throw new Error(`${what.join(" ")}: ${answer.error}`);
    return answer.said;
  }

  close() {
    this.#socket.destroy();
  }
}
