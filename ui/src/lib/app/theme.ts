import type { Theme } from "../generated/Theme";

/** Draws the page in a theme. The program does so before the page is there, so that no start flashes. */
export function applyTheme(theme: Theme): void {
  const root = document.documentElement;
  if (theme === "system") delete root.dataset.theme;
  else root.dataset.theme = theme;
}
