type Bytes = ArrayLike<number> | Uint8Array;
export type Sent = { type: string; hex: string; body: Buffer; at: number };

export const POLICY: string;
export const H264: readonly { key: boolean; bytes: Uint8Array }[];
export const PNG: Uint8Array;
export const JPEG: Uint8Array;
export const WEBP: Uint8Array;

export function record(type: number, ...parts: Bytes[]): Buffer;
export function u16(...values: number[]): Buffer;
export function u32(value: number): Buffer;
export function u64(value: number | bigint): Buffer;
export function hello(kind: number, title: string, received?: number): Buffer;
export function resize(width: number, height: number): Buffer;
export function tile(x: number, y: number, w: number, h: number, codec: number, bytes: Bytes): Buffer;
export function copy(fromX: number, fromY: number, x: number, y: number, w: number, h: number): Buffer;
export function fill(x: number, y: number, w: number, h: number, r: number, g: number, b: number): Buffer;
export function cursor(hotX: number, hotY: number, w: number, h: number, rgba: Bytes): Buffer;
export function video(x: number, y: number, w: number, h: number, key: boolean, bytes: Bytes): Buffer;
export function videoPart(
  x: number,
  y: number,
  w: number,
  h: number,
  key: boolean,
  regions: readonly (readonly [number, number, number, number])[],
  bytes: Bytes,
  codec?: number,
): Buffer;
export function clipboard(text: string): Buffer;
export function frameEnd(sequence: number): Buffer;
export function status(code: number, text: string): Buffer;
export function bye(code: number, text: string): Buffer;
export function terminalData(bytes: Bytes): Buffer;
export function terminalStart(offset: number | bigint): Buffer;
export function arrow(side?: number): Buffer;

export class MockServer {
  constructor(dist: string);
  records: Sent[];
  connects: { desktop: string; kind: string; resume?: string }[];
  signedIn: boolean;
  startSteps: number;
  failure: string | null;
  refuseSockets: boolean;
  policy: string;
  animate: boolean;
  relay: number;
  scene: "test card" | "silent" | "fixed" | "black";
  terminalSent: Buffer;
  terminalTyped: Buffer;
  listen(port?: number): Promise<string>;
  close(): Promise<void>;
  of(type: string): Sent[];
  send(...records: Buffer[]): void;
  frame(...records: Buffer[]): number;
  cut(): void;
  shell(text: string): void;
  testCard(): Buffer[];
}
