import { getContext, setContext } from "svelte";

import type { App } from "./app.svelte";

const KEY = Symbol("app");

export function provideApp(app: App): void {
  setContext(KEY, app);
}

/** The page's one controller. Call while a component is being made. */
export function useApp(): App {
  return getContext<App>(KEY);
}

/** The context of a component that is shown alone. */
export function contextOf(app: App): Map<symbol, App> {
  return new Map([[KEY, app]]);
}
