import type { LogSaving } from "../generated/LogSaving";
import type { Overview } from "../generated/Overview";
import type { TestStep } from "../generated/TestStep";
import type { Tick } from "../generated/Tick";
import type { Backend } from "./backend";
import { mask, type Masked } from "./masked";
import { withTimeout } from "./withTimeout";

/** Calls a command of the program. */
type Invoke = <T>(command: string, args?: Record<string, unknown>) => Promise<T>;
/** Opens a channel on which the program sends messages; its value is passed as an argument. */
type OpenChannel = <T>(onMessage: (message: T) => void) => unknown;

const masked = (secret: string | null): Masked | null => (secret === null ? null : mask(secret));

/** The commands of the program, however they are called: over Tauri's IPC or over the bridge. */
export function commands(invoke: Invoke, channel: OpenChannel): Backend {
  /** The first overview waits for the history, however long that takes; only later ones time out. */
  let begun = false;

  const overview = async (): Promise<Overview> => {
    const answer = invoke<Overview>("overview");
    const first = await (begun ? withTimeout(answer) : answer);
    begun = true;
    return first;
  };

  const backend: Backend = {
    subscribe: (onTick) => invoke("subscribe", { onTick: channel<Tick>(onTick) }),
    overview,
    openView: (spec) =>
      withTimeout(invoke<number>("open_view", { spec }), (view) => void backend.closeView(view)),
    viewWindow: (view, first, count) => withTimeout(invoke("view_window", { view, first, count })),
    closeView: (view) => invoke("close_view", { view }),
    logSeek: (view, target, around) => withTimeout(invoke("log_seek", { view, target, around })),
    logMap: (view, slices, buckets) => withTimeout(invoke("log_map", { view, slices, buckets })),
    logText: (view, row) => withTimeout(invoke("log_text", { view, row })),
    logCopy: (view, first, count, format) => invoke("log_copy", { view, first, count, format }),
    logSave: (view, filtered, format, onProgress) =>
      invoke("log_save", { view, filtered, format, onProgress: channel<LogSaving>(onProgress) }),
    logSaveCancel: () => invoke("log_save_cancel"),
    logFetch: (view) => invoke("log_fetch", { view }),
    lookingAt: (focused, job) => invoke("looking_at", { focused, job }),
    serverDraft: (id) => invoke("server_draft", { id }),
    saveServer: (draft, change, key, headers) =>
      invoke("save_server", { draft, change, key: masked(key), headers: masked(headers) }),
    testServer: (draft, change, key, headers, onStep) =>
      invoke("test_server", {
        draft,
        change,
        key: masked(key),
        headers: masked(headers),
        onStep: channel<TestStep>(onStep),
      }),
    probeServer: (url, extraCa) => invoke("probe_server", { url, extraCa }),
    signIn: (draft, email, password, headers, stay) =>
      invoke("sign_in", {
        draft,
        email: mask(email),
        password: mask(password),
        headers: masked(headers),
        stay,
      }),
    removeServer: (id) => invoke("remove_server", { id }),
    pauseServer: (id) => invoke("pause_server", { id }),
    resumeServer: (id) => invoke("resume_server", { id }),
    reconnect: (id) => invoke("reconnect", { id }),
    watch: (server, topic) => invoke("watch", { server, topic }),
    unwatch: (server, topic) => invoke("unwatch", { server, topic }),
    act: (server, job, action) => invoke("act", { server, job, action }),
    markRead: (ids, read) => invoke("mark_read", { ids, read }),
    markAllRead: () => invoke("mark_all_read"),
    dismiss: (ids) => invoke("dismiss", { ids }),
    restore: (ids) => invoke("restore", { ids }),
    setPreferences: (patch) => invoke("set_preferences", { patch }),
    mute: (target, by) => invoke("mute", { target, by }),
    tryRule: (rule) => withTimeout(invoke("try_rule", { rule })),
    runRule: (rule) => invoke("run_rule", { rule }),
    startsAtLogin: () => withTimeout(invoke("starts_at_login")),
    setStartAtLogin: (on) => invoke("set_start_at_login", { on }),
    setDemo: (on) => invoke("set_demo", { on }),
    openLink: (url) => invoke("open_link", { url }),
  };
  return backend;
}
