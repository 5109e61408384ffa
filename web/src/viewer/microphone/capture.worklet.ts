/** Runs beside the sound, in its own thread: hears a microphone and hands on blocks as the machine wants them. */
import { Blocks, type MicrophoneFormat } from "./pcm";

// What an audio worklet has; TypeScript's library knows the page's side alone.
declare class AudioWorkletProcessor {
  readonly port: MessagePort;
}
declare const sampleRate: number;
declare function registerProcessor(
  name: string,
  processor: new (options: { processorOptions: MicrophoneFormat }) => AudioWorkletProcessor,
): void;

class Capture extends AudioWorkletProcessor {
  readonly #blocks: Blocks;

  constructor({ processorOptions }: { processorOptions: MicrophoneFormat }) {
    super();
    this.#blocks = new Blocks(processorOptions, sampleRate, (block) => this.port.postMessage(block, [block]));
  }

  process(inputs: Float32Array[][]): boolean {
    this.#blocks.take(inputs[0] ?? []);
    return true;
  }
}

registerProcessor("oriel-capture", Capture);
