import type { Schemas } from "../api/client";
/** A row of the API with the container behind it. */
export type MockRecording = Schemas["Recording"] & {
  content: { bytes: Buffer; chunks: Schemas["RecordingChunk"][] };
};
export function squareAt(second: number): [number, number, number];
