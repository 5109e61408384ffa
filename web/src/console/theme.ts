/** Dark, light, or what the system says; kept in this browser. */
import { useSyncExternalStore } from "react";

export type Theme = "system" | "light" | "dark";
const KEY = "oriel-theme";
const system = globalThis.matchMedia?.("(prefers-color-scheme: dark)");
const listeners = new Set<() => void>();

export function theme(): Theme {
  try {
    const kept = localStorage.getItem(KEY);
    return kept === "light" || kept === "dark" ? kept : "system";
  } catch {
    return "system"; // storage is off in this browser
  }
}

export function applyTheme() {
  const chosen = theme();
  const dark = chosen === "dark" || (chosen === "system" && system?.matches === true);
  document.documentElement.classList.toggle("pf-v6-theme-dark", dark);
  document.documentElement.style.colorScheme = dark ? "dark" : "light";
}

export function setTheme(to: Theme) {
  try {
    if (to === "system") localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, to);
  } catch {
    // kept for this page only
  }
  applyTheme();
  for (const tell of listeners) tell();
}

export function useTheme(): Theme {
  return useSyncExternalStore((tell) => {
    listeners.add(tell);
    return () => listeners.delete(tell);
  }, theme);
}

system?.addEventListener("change", applyTheme);
