/**
 * HTML that a machine copied, without what would run, load or ask where somebody pastes it. Browsers clean what a page reads from the
 * clipboard; what a page writes goes on to other programs as it is. It is parsed in a document of its own that runs and loads nothing.
 */
import DOMPurify from "dompurify";

/** Elements of a copy, and how deep they may lie in each other: cleaning takes time for each of one times the other. */
const ELEMENTS_MAX = 30_000;
const NESTED_MAX = 200;
/** Elements without an end (HTML, "Void elements"). */
const VOID = new Set([
  "area",
  "base",
  "br",
  "col",
  "embed",
  "hr",
  "img",
  "input",
  "link",
  "meta",
  "source",
  "wbr",
]);

/** Forms ask for what is typed into them; a style sheet loads others, and is about the whole page that it is pasted into. */
const TAGS = ["style", "form", "input", "button", "select", "option", "optgroup", "textarea", "dialog"];
const MEDIA = ["audio", "video", "source", "track", "picture", "map", "area"];
const ATTRIBUTES = ["id", "name", "class", "background", "poster", "srcset", "usemap", "cite"];

/** A link leads where it says; what is relative would lead to this server. */
const LINK = /^(?:https?|mailto|tel):/i;
/** Pictures that lie elsewhere would tell that place who pastes, and when. */
const PICTURE = /^data:image\/(?:png|jpeg|gif|webp);base64,[a-z0-9+/=\s]*$/i;
/** Styles that load something, or that are written so that nobody sees it: escapes. */
const LOADS = /url|image|import|element|\\|\/\*/i;

DOMPurify.addHook("uponSanitizeAttribute", (_element, attribute) => {
  const { attrName, attrValue } = attribute;
  if (attrName === "href") attribute.keepAttr &&= LINK.test(attrValue);
  else if (attrName === "src") attribute.keepAttr &&= PICTURE.test(attrValue);
  else if (attrName === "style") attribute.keepAttr &&= !LOADS.test(attrValue);
});

/**
 * Whether there are too many elements, or too many of them open at once. Ends of other elements close nothing, so that each kind is counted
 * by itself; ends that may be left out make it look deeper than it is.
 */
export function isTooMuch(html: string): boolean {
  const open = new Map<string, number>();
  let [elements, nested] = [0, 0];
  for (const [, end, tag = ""] of html.matchAll(/<(\/?)([a-z][^\s/>]*)/gi)) {
    const name = tag.toLowerCase();
    const before = open.get(name) ?? 0;
    if (end) {
      if (before === 0) continue;
      open.set(name, before - 1);
      nested -= 1;
      continue;
    }
    elements += 1;
    if (!VOID.has(name)) {
      open.set(name, before + 1);
      nested += 1;
    }
    if (elements > ELEMENTS_MAX || nested > NESTED_MAX) return true;
  }
  return false;
}

/** Whole documents come back as what is in their body. Nothing where it is too much, and where there is no browser to do it. */
export function clean(html: string): string {
  if (!DOMPurify.isSupported || isTooMuch(html)) return "";
  return DOMPurify.sanitize(html, {
    USE_PROFILES: { html: true },
    FORBID_TAGS: [...TAGS, ...MEDIA],
    FORBID_ATTR: ATTRIBUTES,
    ALLOW_DATA_ATTR: false,
    ALLOW_ARIA_ATTR: false,
  });
}
