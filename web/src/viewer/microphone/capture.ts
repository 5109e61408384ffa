/** The browser's microphone as blocks: permission, the graph, and an end that leaves nothing open. */

import worklet from "./capture.worklet?worker&url";
import type { MicrophoneFormat } from "./pcm";

export type Capture = {
  /** Whether what is heard is silence. */
  mute(on: boolean): void;
  /** In another format from now on; the same permission. */
  change(format: MicrophoneFormat): Promise<void>;
  /** The browser's own sign that it listens goes out. */
  end(): void;
};

type Graph = { context: AudioContext; node: AudioWorkletNode };

async function graph(
  stream: MediaStream,
  format: MicrophoneFormat,
  block: (bytes: Uint8Array<ArrayBuffer>) => void,
): Promise<Graph> {
  let context = new AudioContext({ sampleRate: format.rate, latencyHint: "interactive" });
  let source: MediaStreamAudioSourceNode;
  try {
    source = context.createMediaStreamSource(stream);
  } catch {
    // Firefox connects no microphone to a context of another rate: the worklet converts.
    void context.close();
    context = new AudioContext({ latencyHint: "interactive" });
    source = context.createMediaStreamSource(stream);
  }
  await context.audioWorklet.addModule(worklet);
  const node = new AudioWorkletNode(context, "oriel-capture", {
    numberOfInputs: 1,
    // Silence: some browsers run only what leads to a loudspeaker.
    numberOfOutputs: 1,
    channelCount: format.channels,
    channelCountMode: "explicit",
    processorOptions: format,
  });
  node.port.onmessage = ({ data }: MessageEvent<unknown>) => {
    if (data instanceof ArrayBuffer) block(new Uint8Array(data));
  };
  source.connect(node).connect(context.destination);
  await context.resume();
  return { context, node };
}

/**
 * Asks the person through the browser, and listens. Only from a click. Throws where the person says no, or nothing is there to hear with.
 * `lost`: the device went away, or the person took the permission back.
 */
export async function capture(
  format: MicrophoneFormat,
  block: (bytes: Uint8Array<ArrayBuffer>) => void,
  lost: () => void,
): Promise<Capture> {
  if (!navigator.mediaDevices?.getUserMedia) throw new DOMException("no secure address", "SecurityError");
  const stream = await navigator.mediaDevices.getUserMedia({
    audio: {
      channelCount: format.channels,
      echoCancellation: true,
      noiseSuppression: true,
      autoGainControl: true,
    },
  });
  const tracks = stream.getAudioTracks();
  const stop = () => {
    for (const track of tracks) track.stop();
  };
  let over = false;
  let now: Graph;
  try {
    now = await graph(stream, format, (bytes) => !over && block(bytes));
  } catch (error) {
    stop();
    throw error;
  }
  for (const track of tracks) track.addEventListener("ended", () => !over && lost());
  return {
    mute: (on) => {
      for (const track of tracks) track.enabled = !on;
    },
    change: async (wanted) => {
      const before = now;
      before.node.port.onmessage = null;
      void before.context.close();
      now = await graph(stream, wanted, (bytes) => !over && block(bytes));
      if (over) void now.context.close();
    },
    end: () => {
      over = true;
      stop();
      void now.context.close();
    },
  };
}
