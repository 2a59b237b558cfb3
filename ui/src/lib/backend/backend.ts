import type { ActionView } from "../generated/ActionView";
import type { KeyChange } from "../generated/KeyChange";
import type { LogFormat } from "../generated/LogFormat";
import type { LogFound } from "../generated/LogFound";
import type { LogMap } from "../generated/LogMap";
import type { LogSaving } from "../generated/LogSaving";
import type { LogTarget } from "../generated/LogTarget";
import type { LogText } from "../generated/LogText";
import type { Mute } from "../generated/Mute";
import type { MuteBy } from "../generated/MuteBy";
import type { MuteTarget } from "../generated/MuteTarget";
import type { NoticeRule } from "../generated/NoticeRule";
import type { OpenJob } from "../generated/OpenJob";
import type { Overview } from "../generated/Overview";
import type { PreferencesPatch } from "../generated/PreferencesPatch";
import type { ProbeView } from "../generated/ProbeView";
import type { RuleTrial } from "../generated/RuleTrial";
import type { ServerDraft } from "../generated/ServerDraft";
import type { TestStep } from "../generated/TestStep";
import type { TestVerdict } from "../generated/TestVerdict";
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
  /**
   * Where something is in a log, and so many rows around it; null when it is nowhere. Like all `log…`
   * calls, for `log` views.
   */
  logSeek(view: number, target: LogTarget, around: number): Promise<LogFound | null>;
  /** A log from afar, in so many slices of its rows and so many buckets of its time. */
  logMap(view: number, slices: number, buckets: number): Promise<LogMap>;
  /** A row, whole. */
  logText(view: number, row: number): Promise<LogText>;
  /** Rows as text for the clipboard, at most 100,000. */
  logCopy(view: number, first: number, count: number, format: LogFormat): Promise<string>;
  /**
   * Asks where to save, and saves all rows, or all lines whatever the filter. Resolves when that has
   * ended; with `ended` and `cancelled` when nobody wants it. One at a time.
   */
  logSave(view: number, filtered: boolean, format: LogFormat, onProgress: (saving: LogSaving) => void): Promise<LogSaving>;
  /** Stops saving; nothing is left of what was saved. */
  logSaveCancel(): Promise<void>;
  /** Asks the servers for lines before the first, or for those of gaps. */
  logFetch(view: number): Promise<void>;
  /** Tells whether the window has the focus and which job it shows, so that no popup repeats it. */
  lookingAt(focused: boolean, job: OpenJob | null): Promise<void>;
  serverDraft(id: string): Promise<ServerDraft>;
  /** Resolves to the server's id. The key and further headers, a line each, are handed on and not kept; no headers keep the present ones. */
  saveServer(draft: ServerDraft, change: KeyChange, key: string | null, headers: string | null): Promise<string>;
  /** Resolves when the last step was reported. */
  testServer(draft: ServerDraft, change: KeyChange, key: string | null, headers: string | null, onStep: (step: TestStep) => void): Promise<TestVerdict>;
  /** What is behind an address as it was pasted; asked without a key, within five seconds. */
  probeServer(url: string, extraCa: string): Promise<ProbeView>;
  /** Signs in; resolves to the number of the token, for {@link ServerDraft.signIn}. Neither e-mail nor password is kept. */
  signIn(draft: ServerDraft, email: string, password: string, headers: string | null, stay: boolean): Promise<number>;
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
  /** Changes some of the user's choices; what is left out stays as it is. */
  setPreferences(patch: PreferencesPatch): Promise<void>;
  /** Shows no more popups about jobs like this one; resolves to what was muted. */
  mute(target: MuteTarget, by: MuteBy): Promise<Mute>;
  /** What a rule would have told of what happened lately. */
  tryRule(rule: NoticeRule): Promise<RuleTrial>;
  /** Does what a rule does besides telling, on the last happening; resolves to how each went. */
  runRule(rule: NoticeRule): Promise<string[]>;
  startsAtLogin(): Promise<boolean>;
  setStartAtLogin(on: boolean): Promise<void>;
  setDemo(on: boolean): Promise<void>;
  /** Opens an http or https link in the browser; anything else is refused. */
  openLink(url: string): Promise<void>;
}

/**
 * Whatever was thrown, as an error the page can show. What is no {@link UserError} was written for
 * developers (by the IPC layer about a command's arguments, by the engine of the page): it goes to
 * the console, and a sentence takes its place.
 */
export function asUserError(thrown: unknown): UserError {
  if (typeof thrown === "object" && thrown !== null && "code" in thrown && "message" in thrown && typeof thrown.code === "string") {
    return thrown as UserError;
  }
  console.error(thrown);
  return { code: "internal", message: "Something in Jobwatch went wrong, and nothing was done. Try again; if it keeps happening, restart Jobwatch." };
}
