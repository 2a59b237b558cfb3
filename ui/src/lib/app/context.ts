import { getContext, setContext } from "svelte";

import type { App } from "./app.svelte";

const KEY = Symbol("app");

export function provideApp(app: App): void {
  setContext(KEY, app);
}

/** The page's controller. Call during component initialisation. */
export function useApp(): App {
  return getContext<App>(KEY);
}

/** The context for a component rendered alone. */
export function contextOf(app: App): Map<symbol, App> {
  return new Map([[KEY, app]]);
}
