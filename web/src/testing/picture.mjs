// A small picture of a desktop, drawn and encoded as PNG here: the mock's thumbnails.
import { deflateSync } from "node:zlib";

const WIDTH = 480;
const HEIGHT = 300;

const CRC = new Uint32Array(256).map((_, n) => {
  let c = n;
  for (let k = 0; k < 8; k++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
  return c >>> 0;
});

function chunk(type, data) {
  const out = Buffer.alloc(12 + data.length);
  out.writeUInt32BE(data.length, 0);
  out.write(type, 4, "latin1");
  data.copy(out, 8);
  let crc = 0xffffffff;
  for (const byte of out.subarray(4, 8 + data.length)) crc = CRC[(crc ^ byte) & 0xff] ^ (crc >>> 8);
  out.writeUInt32BE((crc ^ 0xffffffff) >>> 0, 8 + data.length);
  return out;
}

/** `turn` moves a window, so that a live picture is seen to change. */
export function picture(turn, hue) {
  const pixels = Buffer.alloc(WIDTH * HEIGHT * 3);
  const put = (x, y, [r, g, b]) => {
    const at = (y * WIDTH + x) * 3;
    pixels[at] = r;
    pixels[at + 1] = g;
    pixels[at + 2] = b;
  };
  const box = (x, y, w, h, colour) => {
    for (let j = Math.max(0, y); j < Math.min(HEIGHT, y + h); j++)
      for (let i = Math.max(0, x); i < Math.min(WIDTH, x + w); i++) put(i, j, colour);
  };
  for (let y = 0; y < HEIGHT; y++)
    for (let x = 0; x < WIDTH; x++) {
      const t = (x / WIDTH + y / HEIGHT) / 2;
      put(x, y, [20 + hue * 60 * t, 50 + 70 * t, 110 + (1 - hue) * 90 * t].map(Math.round));
    }
  box(0, 0, WIDTH, 14, [28, 32, 40]);
  box(6, 4, 46, 6, [200, 205, 215]);
  box(440, 4, 34, 6, [200, 205, 215]);
  for (let n = 0; n < 3; n++) box(14, 30 + n * 40, 22, 22, [225, 190 - n * 40, 110 + n * 50]);
  const left = 90 + (turn % 5) * 12;
  box(left, 46, 230, 160, [38, 42, 50]);
  box(left, 46, 230, 14, [60, 66, 80]);
  for (let n = 0; n < 8; n++)
    box(left + 10, 72 + n * 15, 60 + ((n * 53 + turn * 17) % 130), 4, [110, 200, 140]);
  box(250, 130, 190, 140, [245, 246, 248]);
  box(250, 130, 190, 14, [205, 210, 220]);
  for (let n = 0; n < 6; n++) box(262, 156 + n * 17, 150 - ((n * 31) % 60), 5, [150, 156, 168]);

  const rows = Buffer.alloc(HEIGHT * (1 + WIDTH * 3));
  for (let y = 0; y < HEIGHT; y++)
    pixels.copy(rows, y * (1 + WIDTH * 3) + 1, y * WIDTH * 3, (y + 1) * WIDTH * 3);
  const head = Buffer.alloc(13);
  head.writeUInt32BE(WIDTH, 0);
  head.writeUInt32BE(HEIGHT, 4);
  head.set([8, 2, 0, 0, 0], 8);
  return Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    chunk("IHDR", head),
    chunk("IDAT", deflateSync(rows)),
    chunk("IEND", Buffer.alloc(0)),
  ]);
}
