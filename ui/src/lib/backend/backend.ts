import type { ActionKind } from "../generated/ActionKind";
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
 * Everything outside the page. One implementation talks to the program (`tauri.ts`), one answers
 * what a test recorded (`testing/backend.ts`). Every method rejects with a
 * {@link UserError}; pass what was caught through {@link asUserError}.
 */
export interface Backend {
  /** Delivers ticks from now on. A second call replaces the first. */
  subscribe(onTick: (tick: Tick) => void): Promise<void>;
  overview(): Promise<Overview>;
  openView(spec: ViewSpec): Promise<number>;
  viewWindow(view: number, first: number, count: number): Promise<ViewWindow>;
  closeView(view: number): Promise<void>;
  /**
   * Finds a position in a log, with `around` rows; null if there is none. Like all `log…` calls, only
   * for `log` views.
   */
  logSeek(view: number, target: LogTarget, around: number): Promise<LogFound | null>;
  /** Level counts of a log, in so many slices of its rows and so many buckets of its time. */
  logMap(view: number, slices: number, buckets: number): Promise<LogMap>;
  /** The full text of a row. */
  logText(view: number, row: number): Promise<LogText>;
  /** Rows as text for the clipboard, at most 100,000. */
  logCopy(view: number, first: number, count: number, format: LogFormat): Promise<string>;
  /**
   * Asks where to save, then saves the filtered rows or all lines. Resolves when done;
   * with `ended` and `cancelled` if the user cancels. One at a time.
   */
  logSave(
    view: number,
    filtered: boolean,
    format: LogFormat,
    onProgress: (saving: LogSaving) => void,
  ): Promise<LogSaving>;
  /** Cancels saving and removes the partial file. */
  logSaveCancel(): Promise<void>;
  /** Fetches lines before the first, and those of gaps, from the servers. */
  logFetch(view: number): Promise<void>;
  /** Reports whether the window has the focus and which job it shows, so that no popup repeats it. */
  lookingAt(focused: boolean, job: OpenJob | null): Promise<void>;
  serverDraft(id: string): Promise<ServerDraft>;
  /**
   * Resolves to the server's id. Key and further headers (one per line) are passed on, not kept;
   * null headers keep the current ones.
   */
  saveServer(
    draft: ServerDraft,
    change: KeyChange,
    key: string | null,
    headers: string | null,
  ): Promise<string>;
  /** Resolves after the last step was reported. */
  testServer(
    draft: ServerDraft,
    change: KeyChange,
    key: string | null,
    headers: string | null,
    onStep: (step: TestStep) => void,
  ): Promise<TestVerdict>;
  /** Detects the kind of server at a pasted address, without a key, within five seconds. */
  probeServer(url: string, extraCa: string): Promise<ProbeView>;
  /** Signs in and resolves to the token's number, for {@link ServerDraft.signIn}. E-mail and password are not kept. */
  signIn(
    draft: ServerDraft,
    email: string,
    password: string,
    headers: string | null,
    stay: boolean,
  ): Promise<number>;
  removeServer(id: string): Promise<void>;
  pauseServer(id: string): Promise<void>;
  resumeServer(id: string): Promise<void>;
  reconnect(id: string): Promise<void>;
  watch(server: string, topic: string): Promise<void>;
  unwatch(server: string, topic: string): Promise<void>;
  act(server: string, job: string, action: ActionKind): Promise<void>;
  markRead(ids: number[], read: boolean): Promise<void>;
  markAllRead(): Promise<void>;
  dismiss(ids: number[]): Promise<void>;
  /** Undoes a dismissal. */
  restore(ids: number[]): Promise<void>;
  /** Changes the given preferences and leaves the others as they are. */
  setPreferences(patch: PreferencesPatch): Promise<void>;
  /** Mutes popups about jobs like this one; resolves to what was muted. */
  mute(target: MuteTarget, by: MuteBy): Promise<Mute>;
  /** Which recent events a rule would have matched. */
  tryRule(rule: NoticeRule): Promise<RuleTrial>;
  /** Runs a rule's program and post on the last event; resolves to their results. */
  runRule(rule: NoticeRule): Promise<string[]>;
  startsAtLogin(): Promise<boolean>;
  setStartAtLogin(on: boolean): Promise<void>;
  setDemo(on: boolean): Promise<void>;
  /** Opens an http or https link in the browser; anything else is refused. */
  openLink(url: string): Promise<void>;
}

/**
 * Converts whatever was thrown to an error the page can show. Anything but a {@link UserError} was
 * written for developers (by the IPC layer or WebKit): it goes to the console, and a generic
 * message replaces it.
 */
export function asUserError(thrown: unknown): UserError {
  if (
    typeof thrown === "object" &&
    thrown !== null &&
    "code" in thrown &&
    "message" in thrown &&
    typeof thrown.code === "string"
  ) {
    return thrown as UserError;
  }
  console.error(thrown);
  return {
    code: "internal",
    message:
      "Something in Jobwatch went wrong, and nothing was done. Try again; if it keeps happening, restart Jobwatch.",
  };
}
