import type { Theme } from "../generated/Theme";

const KEY = "jobwatch.theme";

/** Applies a theme and remembers it, so that the next start paints in it at once. */
export function rememberTheme(theme: Theme): void {
  const root = document.documentElement;
  if (theme === "system") delete root.dataset.theme;
  else root.dataset.theme = theme;
  try {
    localStorage.setItem(KEY, theme);
  } catch {
    // Without storage the next start paints in the system's theme first.
  }
}

/** Applies the theme of the last start. */
export function recallTheme(): void {
  try {
    const theme = localStorage.getItem(KEY);
    if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  } catch {
    // As above.
  }
}
