import type { Backend } from "../backend/backend";
import { asUserError } from "../backend/backend";
import type { OpenJob } from "../generated/OpenJob";
import type { Overview } from "../generated/Overview";
import type { ActionView } from "../generated/ActionView";
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

/** What the middle of the window shows. */
export type Page =
  | { kind: "jobs"; server: string | null; queue: string | null }
  | { kind: "queues" }
  | { kind: "notices" }
  | { kind: "settings" };

/** A part of a job's detail. */
export type DetailTab = "overview" | "logs" | "metrics" | "frames";

/** A dialog on top of the window. */
export type Overlay =
  | { kind: "server"; id: string | null; field?: ServerField }
  | { kind: "removeServer"; id: string }
  | { kind: "cancelJob"; server: string; job: string; name: string }
  | { kind: "frames"; id: string }
  | { kind: "messages"; id: string }
  | { kind: "palette" }
  | { kind: "shortcuts" };

/** A word in the corner, perhaps with one thing to do about it. */
export interface Toast {
  id: number;
  text: string;
  failed: boolean;
  verb: string | null;
  act: (() => void) | null;
}

const TOAST = 6000;
/** How often the page makes sure that it still hears the program. */
const CHECK = 5000;

/** The page's state and its verbs. Everything that outlives a component is here. */
export class App {
  /** Servers, counts and health; null until first heard. */
  overview = $state.raw<Overview | null>(null);
  /** Why the program does not answer. */
  failure = $state.raw<UserError | null>(null);
  page = $state.raw<Page>({ kind: "jobs", server: null, queue: null });
  /** The job whose detail is open. */
  selected = $state.raw<OpenJob | null>(null);
  /** Whether the detail fills the window. */
  full = $state(false);
  /** The part of the detail on screen: stays from job to job. */
  tab = $state<DetailTab>("overview");
  overlay = $state.raw<Overlay | null>(null);
  toasts = $state.raw<Toast[]>([]);
  /** What a screen reader is told next. */
  announcement = $state("");

  readonly views: Views;
  #pulling = false;
  #dirty = false;
  #lastToast = 0;
  #ticks = 0;
  /** The size of the page that was asked for last. */
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

  /** Checks now and then until the returned function is called. */
  keepListening(): () => void {
    const timer = setInterval(() => void this.#check(), CHECK);
    return () => clearInterval(timer);
  }

  server(id: string): ServerView | undefined {
    return this.overview?.servers.find((server) => server.id === id);
  }

  /** A moment of our clock as the server's clock shows it: its own times are compared with that. */
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

  /** Opens a job in full from anywhere. */
  show(job: OpenJob): void {
    this.overlay = null;
    if (this.page.kind !== "jobs" || (this.page.server !== null && this.page.server !== job.server)) {
      this.page = { kind: "jobs", server: null, queue: null };
    }
    this.select(job, true);
  }

  /** One step back: full, detail. Says whether there was one. */
  back(): boolean {
    if (this.full) {
      this.full = false;
      return true;
    }
    if (this.selected === null) return false;
    this.select(null);
    return true;
  }

  /** Tells the program what is on screen. */
  reportFocus(): void {
    // Only a hint against a needless popup: when it fails, one popup more is shown.
    this.backend.lookingAt(document.hasFocus(), this.selected).catch(() => undefined);
  }

  /** Runs a command; a failure is told in a toast. Says whether it went well. */
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

  /** Tries at once what is not live: the server in question, or all of them. */
  reconnectHere(): void {
    const here = this.selected?.server ?? (this.page.kind === "jobs" ? this.page.server : null);
    const servers = (this.overview?.servers ?? []).filter((server) =>
      here === null ? !["live", "paused"].includes(server.status.link) : server.id === here,
    );
    for (const server of servers) this.reconnect(server.id);
    if (servers.length === 0) this.toast("Every server is connected.");
    else this.toast(servers.length === 1 ? `Reconnecting ${sanitize(servers[0]?.name ?? "")}.` : `Reconnecting ${count(servers.length, "server")}.`);
  }

  /** Changes some of the user's choices; the others stay as they are. */
  setPreferences(patch: PreferencesPatch): void {
    if (patch.theme) applyTheme(patch.theme);
    void this.run(() => this.backend.setPreferences(patch));
  }

  /** Draws the page a step larger or smaller, or as designed; kept over restarts. */
  zoom(step: 1 | 0 | -1): void {
    const now = this.#zoom ?? this.overview?.preferences.zoom ?? 100;
    this.#zoom = zoomed(now, step);
    this.dismissToast(this.#zoomToast);
    this.#zoomToast = this.toast(`Zoom ${this.#zoom} %`, this.#zoom === 100 ? {} : { verb: "Reset", act: () => this.zoom(0) });
    if (this.#zoom !== now) this.setPreferences({ zoom: this.#zoom });
  }

  /** Asks a server to do something with a job. The job's row shows that it was asked, and how it went. */
  async act(server: string, job: string, action: ActionView): Promise<void> {
    await this.run(() => this.backend.act(server, job, action));
  }

  /** Shows no more popups about jobs like this one, with a way back. */
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
      this.toast(ids.length === 1 ? "Notice dismissed." : `${count(ids.length, "notice")} dismissed.`, {
        verb: "Undo",
        act: () => void this.run(() => this.backend.restore(ids)),
      });
    });
  }

  toast(text: string, { failed = false, verb = null as string | null, act = null as (() => void) | null } = {}): number {
    const id = ++this.#lastToast;
    this.toasts = [...this.toasts.slice(-2), { id, text, failed, verb, act }];
    setTimeout(() => this.dismissToast(id), failed ? 2 * TOAST : TOAST);
    return id;
  }

  dismissToast(id: number): void {
    this.toasts = this.toasts.filter((toast) => toast.id !== id);
  }

  /** Speaks to a screen reader. */
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
   * A channel that lost one message delivers none after it, and nobody is told. When the program's
   * answer differs from what is on screen and no tick said so, the page listens anew.
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

/** What is muted, as a sentence goes on after "muted". */
export function describeMute({ name, error, queue }: Mute): string {
  if (error !== null) return `failures with “${sanitize(error)}”`;
  if (queue !== null) return `the queue “${sanitize(queue)}”`;
  return `jobs named “${sanitize(name ?? "")}”`;
}

/** Whether two overviews differ at most in what no tick tells of: when a server was last heard, and how its clock runs. */
function sameButHeard(one: Overview, other: Overview): boolean {
  const plain = (overview: Overview) => JSON.stringify(overview, (name, value: unknown) => (name === "lastHeard" || name === "clockAhead" ? null : value));
  return plain(one) === plain(other);
}
