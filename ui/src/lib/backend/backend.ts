import type { ActionView } from "../generated/ActionView";
import type { KeyChange } from "../generated/KeyChange";
import type { OpenJob } from "../generated/OpenJob";
import type { Overview } from "../generated/Overview";
import type { Preferences } from "../generated/Preferences";
import type { ServerDraft } from "../generated/ServerDraft";
import type { TestStep } from "../generated/TestStep";
import type { Tick } from "../generated/Tick";
import type { UserError } from "../generated/UserError";
import type { ViewSpec } from "../generated/ViewSpec";
import type { ViewWindow } from "../generated/ViewWindow";

/**
 * Everything outside the page. One implementation speaks to the program (`tauri.ts`), one is a
 * fake in the page for tests and for a browser (`mock.ts`). Every method rejects with a
 * {@link UserError}; pass what was caught through {@link asUserError}.
 */
export interface Backend {
  /** Ticks from now on. A second call replaces the first. */
  subscribe(onTick: (tick: Tick) => void): Promise<void>;
  overview(): Promise<Overview>;
  openView(spec: ViewSpec): Promise<number>;
  viewWindow(view: number, first: number, count: number): Promise<ViewWindow>;
  closeView(view: number): Promise<void>;
  /** Tells whether the window has the focus and which job it shows, so that no popup repeats it. */
  lookingAt(focused: boolean, job: OpenJob | null): Promise<void>;
  serverDraft(id: string): Promise<ServerDraft>;
  /** Resolves to the server's id. The key is handed on and not kept. */
  saveServer(draft: ServerDraft, change: KeyChange, key: string | null): Promise<string>;
  /** Resolves when the last step was reported. */
  testServer(draft: ServerDraft, change: KeyChange, key: string | null, onStep: (step: TestStep) => void): Promise<void>;
  removeServer(id: string): Promise<void>;
  pauseServer(id: string): Promise<void>;
  resumeServer(id: string): Promise<void>;
  reconnect(id: string): Promise<void>;
  watch(server: string, topic: string): Promise<void>;
  unwatch(server: string, topic: string): Promise<void>;
  act(server: string, job: string, action: ActionView): Promise<void>;
  markRead(ids: number[], read: boolean): Promise<void>;
  markAllRead(): Promise<void>;
  dismiss(ids: number[]): Promise<void>;
  /** Takes a dismissal back. */
  restore(ids: number[]): Promise<void>;
  setPreferences(preferences: Preferences): Promise<void>;
  setDemo(on: boolean): Promise<void>;
  /** Opens an http or https link in the browser; anything else is refused. */
  openLink(url: string): Promise<void>;
}

/** Whatever was thrown, as an error the page can show. */
export function asUserError(thrown: unknown): UserError {
  if (typeof thrown === "object" && thrown !== null && "code" in thrown && "message" in thrown) {
    return thrown as UserError;
  }
  return { code: "internal", message: thrown instanceof Error ? thrown.message : String(thrown) };
}
