// Says how large the built pages are, as they travel (gzip): what each entry loads at once, and each page's own part.
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const dist = fileURLToPath(new URL("../../dist/", import.meta.url));
const size = (name) => gzipSync(readFileSync(dist + name)).length;
const kb = (bytes) => `${(bytes / 1000).toFixed(1).padStart(7)} kB`;

for (const [title, page] of [
  ["console, before the first page", "index.html"],
  ["viewer", "viewer/index.html"],
  ["player", "player/index.html"],
]) {
  const names = [
    ...readFileSync(dist + page, "utf8").matchAll(/(?:src|href)="\/(assets\/[^"]+\.(?:js|css))"/g),
  ].map((m) => m[1]);
  const of = (end) => names.filter((n) => n.endsWith(end)).reduce((sum, n) => sum + size(n), 0);
  console.log(`${title}: ${kb(of(".js"))} script, ${kb(of(".css"))} style`);
}
for (const name of readdirSync(`${dist}assets`)
  .filter((n) => n.endsWith(".js"))
  .sort()) {
  const bytes = size(`assets/${name}`);
  if (bytes > 3_000) console.log(`  ${name.padEnd(32)} ${kb(bytes)}`);
}
