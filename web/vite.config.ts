import { fileURLToPath } from "node:url";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** Where `npm run dev` finds the API: a running `oriel serve`, or the mock (`npm run mock`). */
const server = process.env.ORIEL_DEV_SERVER ?? "http://127.0.0.1:8480";

const entries = {
  console: here("index.html"),
  viewer: here("viewer/index.html"),
  monitor: here("viewer/monitor.html"),
  player: here("player/index.html"),
};
/** `ORIEL_WEB_ONLY=console,player` builds these entries alone, for their own tests. */
const wanted = process.env.ORIEL_WEB_ONLY?.split(",");
const only = Object.entries(entries).filter(([name]) => wanted?.includes(name) ?? true);

export default defineConfig({
  plugins: [react()],
  build: {
    outDir: here("dist"),
    emptyOutDir: true,
    // The server's content security policy is `default-src 'self'`: no data: URLs, nothing inline.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: "es2023",
    rolldownOptions: {
      input: Object.fromEntries(only),
    },
  },
  worker: { format: "es" },
  server: {
    host: "127.0.0.1",
    proxy: { "/api": { target: server, ws: true, changeOrigin: false } },
  },
});
