import type { Backend } from "../backend/backend";
import { asUserError } from "../backend/backend";
import type { OpenJob } from "../generated/OpenJob";
import type { Overview } from "../generated/Overview";
import type { ActionKind } from "../generated/ActionKind";
import type { Mute } from "../generated/Mute";
import type { MuteBy } from "../generated/MuteBy";
import type { MuteTarget } from "../generated/MuteTarget";
import type { PreferencesPatch } from "../generated/PreferencesPatch";
import type { ServerView } from "../generated/ServerView";
import type { Tick } from "../generated/Tick";
import type { UserError } from "../generated/UserError";
import type { ServerField } from "../servers/fields";
import { shareStructure } from "../shared/structuralSharing";
import { Views } from "../shared/views.svelte";
import { count } from "../shared/format";
import { sanitize } from "../shared/sanitize";
import { applyTheme } from "./theme";
import { zoomed } from "./zoom";

/** The page shown beside the sidebar. */
export type Page =
  | { kind: "jobs"; server: string | null; queue: string | null }
  | { kind: "queues" }
  | { kind: "notices" }
  | { kind: "settings" };

/** A tab of a job's detail. */
export type DetailTab = "overview" | "logs" | "metrics" | "frames";

/** A dialog on top of the window. */
export type Overlay =
  | { kind: "server"; id: string | null; field?: ServerField }
  | { kind: "removeServer"; id: string }
  | { kind: "cancelJob"; server: string; job: string; name: string }
  | { kind: "frames"; id: string }
  | { kind: "messages"; id: string }
  | { kind: "palette" }
  | { kind: "help" };

/** A short message in the corner, optionally with one action. */
export interface Toast {
  id: number;
  text: string;
  failed: boolean;
  verb: string | null;
  act: (() => void) | null;
}

const TOAST = 6000;
/** How often the page checks that ticks still arrive, in ms. */
const CHECK = 5000;

/** The page's state and actions: everything that outlives a component. */
export class App {
  /** Servers, counts and health; null until loaded. */
  overview = $state.raw<Overview | null>(null);
  /** Why the program does not respond. */
  failure = $state.raw<UserError | null>(null);
  page = $state.raw<Page>({ kind: "jobs", server: null, queue: null });
  /** The job whose detail is open. */
  selected = $state.raw<OpenJob | null>(null);
  /** Whether the detail fills the window. */
  full = $state(false);
  /** The selected tab of the detail, kept from job to job. */
  tab = $state<DetailTab>("overview");
  overlay = $state.raw<Overlay | null>(null);
  toasts = $state.raw<Toast[]>([]);
  /** The next announcement for screen readers. */
  announcement = $state("");

  readonly views: Views;
  #pulling = false;
  #dirty = false;
  #lastToast = 0;
  #ticks = 0;
  /** The zoom last requested. */
  #zoom: number | null = null;
  #zoomToast = 0;

  constructor(readonly backend: Backend) {
    this.views = new Views(backend);
  }

  /** Connects to the program. */
  async start(): Promise<void> {
    this.failure = null;
    try {
      await this.#listen();
      await this.refresh();
      this.reportFocus();
    } catch (thrown) {
      this.failure = asUserError(thrown);
    }
  }

  /** Checks periodically that ticks arrive, until the returned function is called. */
  keepListening(): () => void {
    const timer = setInterval(() => void this.#check(), CHECK);
    return () => clearInterval(timer);
  }

  server(id: string): ServerView | undefined {
    return this.overview?.servers.find((server) => server.id === id);
  }

  /** Converts a time of our clock to the server's clock, to compare with the server's own times. */
  nowOn(server: string, now: number): number {
    return now + (this.server(server)?.clockAhead ?? 0);
  }

  go(page: Page): void {
    this.page = page;
    this.full = false;
    this.selected = null;
    this.reportFocus();
  }

  select(job: OpenJob | null, full = false): void {
    const same = job?.server === this.selected?.server && job?.job === this.selected?.job;
    if (!same) this.selected = job;
    this.full = job !== null && full;
    this.reportFocus();
  }

  /** Opens a job in the full window, from any page. */
  show(job: OpenJob): void {
    this.overlay = null;
    if (
      this.page.kind !== "jobs" ||
      (this.page.server !== null && this.page.server !== job.server)
    ) {
      this.page = { kind: "jobs", server: null, queue: null };
    }
    this.select(job, true);
  }

  /** Leaves the full window, then closes the detail. Returns whether there was anything to leave. */
  back(): boolean {
    if (this.full) {
      this.full = false;
      return true;
    }
    if (this.selected === null) return false;
    this.select(null);
    return true;
  }

  /** Reports to the program which job is on screen. */
  reportFocus(): void {
    // Only avoids a redundant popup, so a failure is harmless.
    this.backend.lookingAt(document.hasFocus(), this.selected).catch(() => undefined);
  }

  /** Runs a command and shows a failure in a toast. Returns whether it succeeded. */
  async run(command: () => Promise<unknown>): Promise<boolean> {
    try {
      await command();
      return true;
    } catch (thrown) {
      this.toast(asUserError(thrown).message, { failed: true });
      return false;
    }
  }

  reconnect(id: string): void {
    void this.run(() => this.backend.reconnect(id));
  }

  /** Reconnects the server on screen, or all servers that are not live. */
  reconnectHere(): void {
    const here = this.selected?.server ?? (this.page.kind === "jobs" ? this.page.server : null);
    const servers = (this.overview?.servers ?? []).filter((server) =>
      here === null ? !["live", "paused"].includes(server.status.link) : server.id === here,
    );
    for (const server of servers) this.reconnect(server.id);
    if (servers.length === 0) this.toast("Every server is connected.");
    else
      this.toast(
        servers.length === 1
          ? `Reconnecting ${sanitize(servers[0]?.name ?? "")}.`
          : `Reconnecting ${count(servers.length, "server")}.`,
      );
  }

  /** Changes some preferences and leaves the others as they are. */
  setPreferences(patch: PreferencesPatch): void {
    if (patch.theme) applyTheme(patch.theme);
    void this.run(() => this.backend.setPreferences(patch));
  }

  /** Zooms in, out, or back to 100 %; kept across restarts. */
  zoom(step: 1 | 0 | -1): void {
    const now = this.#zoom ?? this.overview?.preferences.zoom ?? 100;
    this.#zoom = zoomed(now, step);
    this.dismissToast(this.#zoomToast);
    this.#zoomToast = this.toast(
      `Zoom ${this.#zoom} %`,
      this.#zoom === 100 ? {} : { verb: "Reset", act: () => this.zoom(0) },
    );
    if (this.#zoom !== now) this.setPreferences({ zoom: this.#zoom });
  }

  /** Requests an action on a job. The job's row shows the request and its result. */
  async act(server: string, job: string, action: ActionKind): Promise<void> {
    await this.run(() => this.backend.act(server, job, action));
  }

  /** Mutes popups about jobs like this one, with Undo. */
  async mute(target: MuteTarget, by: MuteBy): Promise<void> {
    await this.run(async () => {
      const mute = await this.backend.mute(target, by);
      this.toast(`Muted ${describeMute(mute)}. Unmute in Settings.`, {
        verb: "Undo",
        act: () => this.setPreferences({ unmute: [mute] }),
      });
    });
  }

  setDemo(on: boolean): Promise<boolean> {
    return this.run(() => this.backend.setDemo(on));
  }

  dismiss(ids: number[]): void {
    void this.run(async () => {
      await this.backend.dismiss(ids);
      this.toast(
        ids.length === 1 ? "Notice dismissed." : `${count(ids.length, "notice")} dismissed.`,
        {
          verb: "Undo",
          act: () => void this.run(() => this.backend.restore(ids)),
        },
      );
    });
  }

  toast(
    text: string,
    { failed = false, verb = null as string | null, act = null as (() => void) | null } = {},
  ): number {
    const id = ++this.#lastToast;
    this.toasts = [...this.toasts.slice(-2), { id, text, failed, verb, act }];
    setTimeout(() => this.dismissToast(id), failed ? 2 * TOAST : TOAST);
    return id;
  }

  dismissToast(id: number): void {
    this.toasts = this.toasts.filter((toast) => toast.id !== id);
  }

  /** Announces text to screen readers. */
  announce(text: string): void {
    this.announcement = text;
  }

  /** Pulls the overview; one pull at a time. */
  async refresh(): Promise<void> {
    this.#dirty = true;
    if (this.#pulling) return;
    this.#pulling = true;
    try {
      while (this.#dirty) {
        this.#dirty = false;
        const overview = await this.backend.overview();
        this.overview = shareStructure(this.overview, overview);
        applyTheme(overview.preferences.theme);
      }
      this.failure = null;
    } finally {
      this.#pulling = false;
    }
  }

  #listen(): Promise<void> {
    return this.backend.subscribe((tick) => this.#ticked(tick));
  }

  /**
   * A channel that loses one message silently delivers none after it. When the program's overview
   * differs from the one on screen without a tick, the page subscribes again.
   */
  async #check(): Promise<void> {
    if (document.hidden || this.overview === null || this.#pulling) return;
    const ticks = this.#ticks;
    try {
      const overview = await this.backend.overview();
      if (ticks !== this.#ticks || sameButHeard(this.overview, overview)) return;
      this.overview = shareStructure(this.overview, overview);
      await this.#listen();
      this.views.refreshAll();
    } catch (thrown) {
      this.failure = asUserError(thrown);
    }
  }

  #ticked(tick: Tick): void {
    this.#ticks += 1;
    if (tick.overview) {
      this.refresh().catch((thrown: unknown) => {
        this.failure = asUserError(thrown);
      });
    }
    this.views.tick(tick.views);
    if (tick.open?.kind === "notices") this.go({ kind: "notices" });
    else if (tick.open?.kind === "nothing") this.toast(tick.open.message, { failed: true });
    else if (tick.open) {
      this.show({ server: tick.open.server, job: tick.open.job });
      if (tick.open.log) this.tab = "logs";
    }
  }
}

/** Describes a mute, to follow the word "Muted". */
export function describeMute({ name, error, queue }: Mute): string {
  if (error !== null) return `failures with “${sanitize(error)}”`;
  if (queue !== null) return `the queue “${sanitize(queue)}”`;
  return `jobs named “${sanitize(name ?? "")}”`;
}

/** Whether two overviews are equal, apart from fields that cause no tick. */
function sameButHeard(one: Overview, other: Overview): boolean {
  const plain = (overview: Overview) =>
    JSON.stringify(overview, (name, value: unknown) =>
      name === "lastHeard" || name === "clockAhead" ? null : value,
    );
  return plain(one) === plain(other);
}
