/** Light or dark: as the system has it, until the switch says otherwise. */

import { computed, effect, type ReadonlySignal, signal } from "@preact/signals";
import { local } from "./storage";

export type Theme = "light" | "dark";
const KEY = "greenroom.theme";

const system = matchMedia("(prefers-color-scheme: dark)");
const preferred = signal<Theme>(system.matches ? "dark" : "light");
const chosen = signal<Theme | null>(remembered());

export const theme: ReadonlySignal<Theme> = computed(() => chosen.value ?? preferred.value);

export function switchTheme(): void {
  chosen.value = theme.value === "dark" ? "light" : "dark";
  local.set(KEY, chosen.value);
}

function remembered(): Theme | null {
  const kept = local.get(KEY);
  return kept === "light" || kept === "dark" ? kept : null;
}

system.addEventListener("change", () => {
  preferred.value = system.matches ? "dark" : "light";
});

effect(() => {
  document.documentElement.dataset.theme = theme.value;
});
