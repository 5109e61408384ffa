/** An image of a CD with one file in its root (ECMA-119, level 1): enough for a machine to mount it. */

const SECTOR = 2048;
const [ROOT, FILE] = [20, 21];

/** A number of 16 or 32 bits, little-endian and then big-endian, as ECMA-119 7.2.3 and 7.3.3 have it. */
function both(image, at, bytes, value) {
  image.writeUIntLE(value, at, bytes);
  image.writeUIntBE(value, at + bytes, bytes);
}

/** A directory record (ECMA-119 9.1); its length. */
function record(image, at, name, sector, bytes, folder) {
  const length = 33 + name.length + (name.length % 2 === 0 ? 1 : 0);
  image[at] = length;
  both(image, at + 2, 4, sector);
  both(image, at + 10, 4, bytes);
  image.set([100, 1, 1, 0, 0, 0, 0], at + 18);
  image[at + 25] = folder ? 2 : 0;
  both(image, at + 28, 2, 1);
  image[at + 32] = name.length;
  name.copy(image, at + 33);
  return length;
}

/** `name` is of capitals, at most eight and three of them; a machine with Linux shows it in small letters. */
export function iso(name, content) {
  const sectors = FILE + Math.ceil(content.length / SECTOR);
  const image = Buffer.alloc(sectors * SECTOR);

  // The primary volume descriptor (8.4), and the end of the descriptors (8.3).
  const volume = image.subarray(16 * SECTOR, 17 * SECTOR);
  volume.set(Buffer.from("\x01CD001\x01", "latin1"));
  volume.fill(" ", 8, 72);
  volume.write("ORIEL", 40, "latin1");
  both(volume, 80, 4, sectors);
  both(volume, 120, 2, 1);
  both(volume, 124, 2, 1);
  both(volume, 128, 2, SECTOR);
  both(volume, 132, 4, 10);
  volume.writeUInt32LE(18, 140);
  volume.writeUInt32BE(19, 148);
  record(volume, 156, Buffer.of(0), ROOT, SECTOR, true);
  volume.fill(" ", 190, 813);
  for (const at of [813, 830, 847, 864]) volume.fill("0", at, at + 16);
  volume[881] = 1;
  image.set(Buffer.from("\xffCD001\x01", "latin1"), 17 * SECTOR);

  // Two tables of paths (9.4), with the root alone.
  image.set([1, 0, ROOT, 0, 0, 0, 1, 0, 0, 0], 18 * SECTOR);
  image.set([1, 0, 0, 0, 0, ROOT, 0, 1, 0, 0], 19 * SECTOR);

  let at = ROOT * SECTOR;
  at += record(image, at, Buffer.of(0), ROOT, SECTOR, true);
  at += record(image, at, Buffer.of(1), ROOT, SECTOR, true);
  record(image, at, Buffer.from(`${name};1`, "latin1"), FILE, content.length, false);
  image.set(content, FILE * SECTOR);
  return image;
}
