// Fails when src/api/schema.d.ts is not what docs/openapi.json generates: run `npm run api` then.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const web = fileURLToPath(new URL("../..", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "oriel-api-"));
try {
  const fresh = join(folder, "schema.d.ts");
  const bin = (name) => join(web, "node_modules/.bin", name);
  execFileSync(bin("openapi-typescript"), ["../docs/openapi.json", "-o", fresh], {
    cwd: web,
    stdio: "ignore",
  });
  const formatted = execFileSync(bin("biome"), ["format", "--stdin-file-path=src/api/schema.d.ts"], {
    cwd: web,
    input: readFileSync(fresh),
    maxBuffer: 64 * 1024 * 1024,
  }).toString();
  if (formatted !== readFileSync(join(web, "src/api/schema.d.ts"), "utf8")) {
    console.error(
      "src/api/schema.d.ts differs from docs/openapi.json: run `npm run api` and commit the result",
    );
    process.exitCode = 1;
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
