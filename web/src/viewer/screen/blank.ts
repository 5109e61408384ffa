/**
 * Whether a surface has nothing on it yet. A machine's session begins as one colour, mostly black, some time before its
 * first window is drawn: a person who sees that takes it for broken.
 */

/** Whether all pixels (four bytes each) have one colour. */
export function oneColour(pixels: Uint32Array): boolean {
  const first = pixels[0];
  return pixels.every((pixel) => pixel === first);
}

/** Longest side of what is looked at, in pixels: a line of text on a large screen still leaves its trace. */
const SIDE_MAX = 320;

let small: OffscreenCanvasRenderingContext2D | null = null;

/** Looks at a small copy, so that the surface itself stays where it is drawn fastest. */
export function isBlank(surface: OffscreenCanvas): boolean {
  if (surface.width === 0 || surface.height === 0) return true;
  const scale = Math.min(1, SIDE_MAX / Math.max(surface.width, surface.height));
  const width = Math.max(1, Math.round(surface.width * scale));
  const height = Math.max(1, Math.round(surface.height * scale));
  small ??= new OffscreenCanvas(width, height).getContext("2d", { alpha: false, willReadFrequently: true });
  // Where it cannot be told, what there is is shown.
  if (!small) return false;
  small.canvas.width = width;
  small.canvas.height = height;
  small.imageSmoothingQuality = "high";
  small.drawImage(surface, 0, 0, width, height);
  return oneColour(new Uint32Array(small.getImageData(0, 0, width, height).data.buffer));
}
