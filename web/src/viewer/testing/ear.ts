/** What a page plays, as tests hear it. Both functions run in the page. */

/** Hangs an ear on what the page plays: whatever is connected to the speakers is measured as well. */
export function overhear(): void {
  const connect = AudioNode.prototype.connect as (this: AudioNode, ...to: unknown[]) => AudioNode;
  const ears = new Map<BaseAudioContext, AnalyserNode>();
  AudioNode.prototype.connect = function (this: AudioNode, ...to: unknown[]) {
    if (to[0] instanceof AudioDestinationNode) {
      let ear = ears.get(this.context);
      if (!ear) {
        ear = new AnalyserNode(this.context, { fftSize: 16_384, smoothingTimeConstant: 0 });
        ears.set(this.context, ear);
        Object.assign(window, { ear });
      }
      connect.call(this, ear);
    }
    return connect.apply(this, to);
  } as typeof AudioNode.prototype.connect;
}

/** The loudest frequency that the page plays now, in Hz, and how loud it is, in dB. */
export const heard = () => {
  const { ear } = window as unknown as { ear?: AnalyserNode };
  if (!ear) return { hz: 0, db: Number.NEGATIVE_INFINITY };
  const levels = new Float32Array(ear.frequencyBinCount);
  ear.getFloatFrequencyData(levels);
  const db = Math.max(...levels);
  return { hz: (levels.indexOf(db) * ear.context.sampleRate) / ear.fftSize, db };
};
