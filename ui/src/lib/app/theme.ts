import type { Theme } from "../generated/Theme";

/** Applies a theme. The program does so before the page loads, to avoid a flash at startup. */
export function applyTheme(theme: Theme): void {
  const root = document.documentElement;
  if (theme === "system") delete root.dataset.theme;
  else root.dataset.theme = theme;
}
