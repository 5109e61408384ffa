/** QEMU's screendump: a PPM of the kind P6, eight bits a part. */
export function ppm(bytes) {
  const head = /^P6\s+(\d+)\s+(\d+)\s+255\s/.exec(bytes.subarray(0, 40).toString("latin1"));
  if (!head) throw new Error(`it is no PPM: ${bytes.subarray(0, 16).toString("latin1")}`);
  const [width, height] = [Number(head[1]), Number(head[2])];
  const at = (x, y) => [...bytes.subarray(head[0].length + (y * width + x) * 3).subarray(0, 3)];
  return { width, height, at };
}
