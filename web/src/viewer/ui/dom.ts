/** Elements and icons without a framework. Nothing here writes HTML text or inline styles: the page's policy forbids both. */

type Attributes = Readonly<Record<string, string | boolean | number | ((event: Event) => void) | undefined>>;

export function el<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== undefined) element.setAttribute(name, String(value));
  }
  element.append(...children);
  return element;
}

const SVG = "http://www.w3.org/2000/svg";

/** Line icons on a 24 px grid. */
const ICONS = {
  fullscreen: "M4 9V4h5M20 9V4h-5M4 15v5h5M20 15v5h-5",
  windowed: "M9 4v5H4M15 4v5h5M9 20v-5H4M15 20v-5h5",
  keys: "M3 7h18v10H3zM7 10.5h.01M11 10.5h.01M15 10.5h.01M8 14h8",
  clipboard: "M9 4h6v3H9zM9 5.5H6V20h12V5.5h-3M9 12h6M9 16h4",
  settings: "M4 7h9M17 7h3M4 17h3M11 17h9M15 5v4M9 15v4",
  stats: "M4 20V10M10 20V4M16 20v-7M21 20H3",
  reconnect: "M20 5v5h-5M4 19v-5h5M19.5 10A8 8 0 0 0 5.6 7.5M4.5 14a8 8 0 0 0 13.9 2.5",
  disconnect: "M12 3v9M7 6.5a8 8 0 1 0 10 0",
  typing: "M4 5h16v11H4zM8 8.5h.01M12 8.5h.01M16 8.5h.01M8 12.5h8M9.5 20l2.5-2 2.5 2",
  close: "M6 6l12 12M18 6L6 18",
  files: "M3 6h7l2 3h9v10H3z",
  file: "M6 3h8l4 4v14H6zM14 3v4h4",
  up: "M12 19V5M6 11l6-6 6 6",
  down: "M12 5v14M6 13l6 6 6-6",
  link: "M10 14l7-7M11 7h6v6M13 17H6v-7",
  rename: "M5 19l1-4L16 5l3 3L9 18zM14 7l3 3",
  remove: "M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13M10.5 11v5M13.5 11v5",
  find: "M10.5 4a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13M15.5 15.5L21 21",
  sound: "M4 9.5v5h3.5L12 18.5v-13L7.5 9.5zM15 9a4 4 0 0 1 0 6M17.5 6.5a8 8 0 0 1 0 11",
  silence: "M4 9.5v5h3.5L12 18.5v-13L7.5 9.5zM15.5 9.5l5 5M20.5 9.5l-5 5",
  microphone: "M12 3a3 3 0 0 0-3 3v5a3 3 0 0 0 6 0V6a3 3 0 0 0-3-3M6 11a6 6 0 0 0 12 0M12 17v4M9 21h6",
  deaf: "M12 3a3 3 0 0 0-3 3v5a3 3 0 0 0 6 0V6a3 3 0 0 0-3-3M6 11a6 6 0 0 0 12 0M12 17v4M9 21h6M4 4l16 16",
  monitor: "M3 5h12v9H3zM6 18h6M9 14v4M19 7v6M16 10h6",
  people:
    "M9 11.5a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7M2.5 20a6.5 6.5 0 0 1 13 0M16 4.8a3.5 3.5 0 0 1 0 6.4M18.5 14.5A6.5 6.5 0 0 1 21.5 20",
  done: "M5 12.5l4.5 4.5L19 7.5",
} as const;
export type IconName = keyof typeof ICONS;

export function icon(name: IconName): SVGElement {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  svg.setAttribute("class", "icon");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

/** A setting that outlives the page; the fallback where storage is refused. */
export function stored(name: string, fallback: string): string {
  try {
    return localStorage.getItem(`oriel.${name}`) ?? fallback;
  } catch {
    return fallback;
  }
}

export function store(name: string, value: string): void {
  try {
    localStorage.setItem(`oriel.${name}`, value);
  } catch {
    // Refused: the setting lasts as long as the page.
  }
}
