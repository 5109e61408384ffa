/** Starts Debian's Chromium for tests, with nothing that talks to the network by itself. */
import { existsSync } from "node:fs";
import { chromium } from "playwright-core";

const CANDIDATES = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

export function launch() {
  const executablePath = process.env.ORIEL_CHROMIUM ?? CANDIDATES.find((path) => existsSync(path));
  if (!executablePath || !existsSync(executablePath))
    throw new Error("there is no Chromium: install the package chromium, or name one in ORIEL_CHROMIUM");
  return chromium.launch({
    executablePath,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      // A microphone that beeps, for pages that were allowed to hear one.
      "--use-fake-device-for-media-stream",
    ],
  });
}
