/**
 * Pictures in 4:4:4 out of two views in 4:2:0 (MS-RDPEGFX 3.3.8.3.2 and 3.3.8.3.3), put together by a WebGL2 shader.
 *
 * The main view has all luma and the mean colour of each two by two pixels; the chroma view has the colours of three of
 * those four, and the fourth follows from the mean. A main view alone is shown as 4:2:0, and a chroma view is combined
 * with the main view that came last there.
 */
import type { Rect } from "../wire";

/** Where the chroma view has its colours; `main`: there is none. */
export type Layout = "main" | "v1" | "v2";

/** Rows of a decoded picture as they came from the decoder: full luma, and colours of half its size each way. */
export type Planes = {
  /** Of the whole picture, as it was coded: a multiple of 16 each way. */
  width: number;
  height: number;
  /** The rows that are here: the first one, and how many. */
  top: number;
  rows: number;
  data: Uint8Array<ArrayBuffer>;
  /** Three of Y, U and V, or two of Y and of pairs of U and V. */
  layout: readonly { offset: number; stride: number }[];
};

/** The textures of one area: what its main views left, and the chroma view of now. */
type Area = { width: number; height: number; packed: boolean; main: WebGLTexture[]; chroma: WebGLTexture[] };

const VERTEX = `#version 300 es
in vec2 place;
uniform vec2 size;
void main() {
  vec2 at = place / size * 2.0 - 1.0;
  gl_Position = vec4(at.x, -at.y, 0.0, 1.0);
}`;

/** The samples are whole numbers, so that what comes out is exact on every machine. */
const FRAGMENT = `#version 300 es
precision highp float;
precision highp int;
precision highp usampler2D;
uniform usampler2D mainY, mainU, mainV, chromaY, chromaU, chromaV;
uniform vec2 size;
uniform int width;
uniform int version;
uniform bool packed_;
out vec4 colour;

int luma(usampler2D plane, int x, int y) {
  return int(texelFetch(plane, ivec2(x, y), 0).r);
}

/** U and V of one place of a view. */
ivec2 both(usampler2D u, usampler2D v, int x, int y) {
  uvec4 first = texelFetch(u, ivec2(x, y), 0);
  return ivec2(first.r, packed_ ? first.g : texelFetch(v, ivec2(x, y), 0).r);
}

/** The colours of a pixel that the chroma view has. */
ivec2 chroma(int x, int y) {
  if (version == 1) {
    if (y % 2 == 0) return both(chromaU, chromaV, x / 2, y / 2);
    int row = y / 16 * 16 + y % 16 / 2;
    return ivec2(luma(chromaY, x, row), luma(chromaY, x, row + 8));
  }
  if (x % 2 == 1) return ivec2(luma(chromaY, x / 2, y), luma(chromaY, width / 2 + x / 2, y));
  ivec2 left = both(chromaU, chromaV, x / 4, y / 2);
  ivec2 right = both(chromaU, chromaV, width / 4 + x / 4, y / 2);
  return x % 4 == 0 ? ivec2(left.x, right.x) : ivec2(left.y, right.y);
}

void main() {
  int x = int(gl_FragCoord.x);
  int y = int(size.y - gl_FragCoord.y);
  ivec2 uv = both(mainU, mainV, x / 2, y / 2);
  if (version != 0) {
    if (x % 2 == 1 || y % 2 == 1) {
      uv = chroma(x, y);
    } else {
      ivec2 others = chroma(x + 1, y) + chroma(x, y + 1) + chroma(x + 1, y + 1);
      ivec2 fourth = clamp(4 * uv - others, 0, 255);
      ivec2 change = abs(fourth - uv);
      uv = ivec2(change.x < 30 ? uv.x : fourth.x, change.y < 30 ? uv.y : fourth.y);
    }
  }
  int scaled = 256 * luma(mainY, x, y);
  ivec2 c = uv - 128;
  ivec3 rgb = ivec3(scaled + 403 * c.y, scaled - 48 * c.x - 120 * c.y, scaled + 475 * c.x) >> 8;
  colour = vec4(vec3(clamp(rgb, 0, 255)) / 255.0, 1.0);
}`;

const SAMPLERS = ["mainY", "mainU", "mainV", "chromaY", "chromaU", "chromaV"] as const;
const VERSIONS: Readonly<Record<Layout, number>> = { main: 0, v1: 1, v2: 2 };

function compile(gl: WebGL2RenderingContext): WebGLProgram | null {
  const program = gl.createProgram();
  for (const [type, text] of [
    [gl.VERTEX_SHADER, VERTEX],
    [gl.FRAGMENT_SHADER, FRAGMENT],
  ] as const) {
    const shader = gl.createShader(type);
    if (!shader) return null;
    gl.shaderSource(shader, text);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
    gl.deleteShader(shader);
  }
  gl.bindAttribLocation(program, 0, "place");
  gl.linkProgram(program);
  if (gl.getProgramParameter(program, gl.LINK_STATUS)) return program;
  console.warn("video in 4:4:4:", gl.getProgramInfoLog(program));
  return null;
}

export class Combiner {
  readonly #areas = new Map<string, Area>();
  readonly #places: Readonly<Record<"size" | "width" | "version" | "packed_", WebGLUniformLocation | null>>;
  readonly #sideMax: number;

  /** One that draws here, or `null` where the browser has no WebGL2. `areas`: so many keep their views; the oldest goes. */
  static start(areas: number): Combiner | null {
    const canvas = new OffscreenCanvas(16, 16);
    const gl = canvas.getContext("webgl2", { alpha: false, antialias: false, depth: false });
    const program = gl && compile(gl);
    return program ? new Combiner(canvas, gl, program, areas) : null;
  }

  private constructor(
    private readonly canvas: OffscreenCanvas,
    private readonly gl: WebGL2RenderingContext,
    program: WebGLProgram,
    private readonly areasMax: number,
  ) {
    this.#sideMax = gl.getParameter(gl.MAX_TEXTURE_SIZE) as number;
    // biome-ignore lint/correctness/useHookAtTopLevel: a method of WebGL, not a hook.
    gl.useProgram(program);
    const place = (name: string) => gl.getUniformLocation(program, name);
    SAMPLERS.forEach((name, unit) => {
      gl.uniform1i(place(name), unit);
    });
    this.#places = {
      size: place("size"),
      width: place("width"),
      version: place("version"),
      packed_: place("packed_"),
    };
    gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
    gl.enableVertexAttribArray(0);
    gl.vertexAttribPointer(0, 2, gl.FLOAT, false, 0, 0);
    gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
  }

  /** The browser took the context away, with everything in it. */
  get isLost(): boolean {
    return this.gl.isContextLost();
  }

  fits(width: number, height: number): boolean {
    return Math.max(width, height) <= this.#sideMax;
  }

  /**
   * Takes over a view's `parts`, in pixels of the picture, and gives a picture that shows them; what is beside them is
   * nothing. `null` where there is nothing to show: a chroma view without its main view, or the context is lost.
   */
  picture(name: string, planes: Planes, layout: Layout, parts: readonly Rect[]): ImageBitmap | null {
    const { width, height } = planes;
    const packed = planes.layout.length === 2;
    let area = this.#areas.get(name);
    if (area && (area.width !== width || area.height !== height || area.packed !== packed)) {
      this.#drop(name, area);
      area = undefined;
    }
    if (this.isLost || !this.fits(width, height) || (layout !== "main" && !area)) return null;
    area ??= this.#begin(name, width, height, packed);
    const inside = parts.flatMap((part) => {
      const x = Math.max(part.x, 0);
      const y = Math.max(part.y, planes.top);
      const w = Math.min(part.x + part.w, width) - x;
      const h = Math.min(part.y + part.h, planes.top + planes.rows) - y;
      return w > 0 && h > 0 ? [{ x, y, w, h }] : [];
    });
    if (layout === "main") {
      // What is beside the parts stays what it was for the chroma views to come.
      for (const part of inside) this.#upload(area.main, planes, part);
    } else {
      // The colours of a part lie all over its rows.
      this.#upload(area.chroma, planes, { x: 0, y: planes.top, w: width, h: planes.rows });
    }
    return this.#draw(area, VERSIONS[layout], inside);
  }

  clear(): void {
    for (const [name, area] of [...this.#areas]) this.#drop(name, area);
  }

  #begin(name: string, width: number, height: number, packed: boolean): Area {
    const oldest = this.#areas.entries().next().value;
    if (oldest && this.#areas.size >= this.areasMax) this.#drop(...oldest);
    const { gl } = this;
    const texture = (format: number, w: number, h: number) => {
      const made = gl.createTexture();
      gl.bindTexture(gl.TEXTURE_2D, made);
      gl.texStorage2D(gl.TEXTURE_2D, 1, format, w, h);
      gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.NEAREST);
      gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, gl.NEAREST);
      return made;
    };
    const view = () => {
      const colours = () => texture(packed ? gl.RG8UI : gl.R8UI, width >> 1, height >> 1);
      return [texture(gl.R8UI, width, height), colours(), ...(packed ? [] : [colours()])];
    };
    gl.activeTexture(gl.TEXTURE0);
    const area = { width, height, packed, main: view(), chroma: view() };
    this.#areas.set(name, area);
    return area;
  }

  #drop(name: string, area: Area): void {
    for (const texture of [...area.main, ...area.chroma]) this.gl.deleteTexture(texture);
    this.#areas.delete(name);
  }

  /** Whole blocks of two by two, whose colours are one. */
  #upload(textures: readonly WebGLTexture[], planes: Planes, part: Rect): void {
    const { gl } = this;
    const packed = planes.layout.length === 2;
    gl.activeTexture(gl.TEXTURE0);
    planes.layout.forEach(({ offset, stride }, plane) => {
      const half = plane === 0 ? 0 : 1;
      const bytes = plane === 1 && packed ? 2 : 1;
      const [left, top] = [part.x >> half, part.y >> half];
      const width = Math.min((part.x + part.w + half) >> half, planes.width >> half) - left;
      const height = Math.min((part.y + part.h + half) >> half, planes.height >> half) - top;
      if (width <= 0 || height <= 0) return;
      const from = offset + (top - (planes.top >> half)) * stride + left * bytes;
      gl.bindTexture(gl.TEXTURE_2D, textures[plane] ?? null);
      gl.pixelStorei(gl.UNPACK_ROW_LENGTH, stride / bytes);
      const format = bytes === 2 ? gl.RG_INTEGER : gl.RED_INTEGER;
      const kind = gl.UNSIGNED_BYTE;
      gl.texSubImage2D(gl.TEXTURE_2D, 0, left, top, width, height, format, kind, planes.data, from);
    });
  }

  #draw(area: Area, version: number, parts: readonly Rect[]): ImageBitmap {
    const { gl, canvas } = this;
    if (canvas.width < area.width) canvas.width = area.width;
    if (canvas.height < area.height) canvas.height = area.height;
    gl.viewport(0, 0, canvas.width, canvas.height);
    [area.main, area.chroma].forEach((textures, view) => {
      for (let plane = 0; plane < 3; plane += 1) {
        gl.activeTexture(gl.TEXTURE0 + view * 3 + plane);
        gl.bindTexture(gl.TEXTURE_2D, textures[plane] ?? textures[1] ?? null);
      }
    });
    gl.uniform2f(this.#places.size, canvas.width, canvas.height);
    gl.uniform1i(this.#places.width, area.width);
    gl.uniform1i(this.#places.version, version);
    gl.uniform1i(this.#places.packed_, area.packed ? 1 : 0);
    const corners = parts.flatMap(({ x, y, w, h }) => {
      const [right, bottom] = [x + w, y + h];
      return [x, y, right, y, x, bottom, x, bottom, right, y, right, bottom];
    });
    gl.bufferData(gl.ARRAY_BUFFER, new Float32Array(corners), gl.STREAM_DRAW);
    gl.drawArrays(gl.TRIANGLES, 0, corners.length / 2);
    return canvas.transferToImageBitmap();
  }
}
