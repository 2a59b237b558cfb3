import type { Backend } from "../backend/backend";
import type { Counts } from "../generated/Counts";
import type { JobDetail } from "../generated/JobDetail";
import type { JobLookup } from "../generated/JobLookup";
import type { LogSaving } from "../generated/LogSaving";
import type { Mute } from "../generated/Mute";
import type { Overview } from "../generated/Overview";
import type { ProbeView } from "../generated/ProbeView";
import type { Rows } from "../generated/Rows";
import type { RuleTrial } from "../generated/RuleTrial";
import type { StateKind } from "../generated/StateKind";
import type { TestStep } from "../generated/TestStep";
import type { TestVerdict } from "../generated/TestVerdict";
import type { Tick } from "../generated/Tick";
import type { UserError } from "../generated/UserError";
import type { ViewSpec } from "../generated/ViewSpec";
import type { ViewWindow } from "../generated/ViewWindow";
import { demoServers, draft, frame, jobs, notice, preferences, queue, server } from "./fixtures";
import { type LogAnswer, numbered } from "./logs";

export type Spec<Kind extends ViewSpec["kind"]> = Extract<ViewSpec, { kind: Kind }>;

/** What the recorded program holds at first. */
export type Scene = "demo" | "first" | "empty" | "overfull" | "troubled";

/**
 * A program that answers what a test recorded, and remembers what it was asked to do. It knows no
 * rules: what a command changes, and what a filter finds, the test says.
 */
export class RecordedBackend implements Backend {
  servers = demoServers();
  jobs: JobDetail[] = [];
  notices = [14, 13, 12, 11, 10, 9, 8].map((id) => notice(id));
  queues = [queue("mail"), queue("default")];
  frames = Array.from({ length: 60 }, (_, index) => frame(index, `42["job:progress",${index}]`));
  preferences = preferences();
  health: Overview["health"] = {
    notifications: null,
    keyring: null,
    history: null,
    logs: null,
    settings: null,
  };
  demo = true;
  lookup: JobLookup = { kind: "unknown" };

  /** Every command with its arguments except secrets, oldest first. */
  readonly calls: { name: string; args: unknown[] }[] = [];
  /** Commands that fail next time, by name. */
  readonly failing = new Map<string, UserError>();
  /** What commands change and resolve to, by name. */
  readonly on: Partial<{
    [Name in keyof Backend]: (...args: Parameters<Backend[Name]>) => unknown;
  }> = {};
  /** Answers to queries other than the recorded rows. */
  jobsFor: (spec: Spec<"jobs">) => JobDetail[] = () => this.jobs;
  noticesFor: (spec: Spec<"notices">) => typeof this.notices = () => this.notices;
  logFor: (spec: Spec<"log">) => LogAnswer = ({ jobs: [job] }) =>
    numbered(this.find(job?.server ?? "", job?.job ?? "")?.logLines ?? 0);

  /** The longest range any view was asked for. */
  widest = 0;
  readonly #views = new Map<number, ViewSpec>();
  #nextView = 1;
  #version = 0;
  #onTick: (tick: Tick) => void = () => undefined;

  constructor(scene: Scene = "demo") {
    if (scene === "demo" || scene === "troubled") this.jobs = jobs(60);
    if (scene === "overfull") this.jobs = jobs(20_000);
    if (scene === "troubled") {
      this.health.notifications =
        "No notification service answers on this desktop. Everything else works.";
      this.health.keyring = "The keyring is locked. Unlock it, or give keys for this session only.";
    }
    if (scene === "empty" || scene === "first") {
      this.servers = scene === "empty" ? [server("s1", "Staging")] : [];
      this.notices = [];
      this.demo = false;
    }
  }

  find(serverId: string, id: string): JobDetail | undefined {
    return this.jobs.find(({ row }) => row.server === serverId && row.id === id);
  }

  /** Views that are open now. */
  get open(): ViewSpec[] {
    return [...this.#views.values()];
  }

  /** Reports that everything changed, or only the views of one kind; `open` is what a popup opens. */
  touch(open: Tick["open"] = null, kind: ViewSpec["kind"] | null = null): void {
    this.#version += 1;
    const views = [...this.#views].filter(([, spec]) => kind === null || spec.kind === kind);
    this.#onTick({ overview: kind === null, views: views.map(([id]) => id), open });
  }

  /** The channel stalls: no tick arrives until the page subscribes again. */
  deafen(): void {
    this.#onTick = () => undefined;
  }

  async #run<Name extends keyof Backend, Answer = void>(
    name: Name,
    args: Parameters<Backend[Name]>,
    shown: unknown[] = args,
    otherwise?: Answer,
  ): Promise<Answer> {
    this.calls.push({ name, args: shown });
    const failure = this.failing.get(name);
    if (failure) {
      this.failing.delete(name);
      throw failure as unknown as Error;
    }
    const given = await this.on[name]?.(...args);
    if (this.on[name]) this.touch();
    return (given ?? otherwise) as Answer;
  }

  async subscribe(onTick: (tick: Tick) => void): Promise<void> {
    this.#onTick = onTick;
  }

  async overview(): Promise<Overview> {
    const { servers, health } = this;
    const until = this.preferences.snoozedUntil;
    const recorded: Overview = {
      servers,
      running: 6,
      jobs: this.jobs.length,
      unread: this.notices.filter(({ read }) => !read).length,
      health,
      preferences: this.preferences,
      quietUntil: until !== null && until > Date.now() ? until : null,
      desktopQuiet: false,
      demo: this.demo,
    };
    return structuredClone(await this.#run("overview", [], [], recorded));
  }

  async openView(spec: ViewSpec): Promise<number> {
    await this.#run("openView", [spec]);
    this.#views.set(this.#nextView, spec);
    return this.#nextView++;
  }

  async viewWindow(view: number, from: number, asked: number): Promise<ViewWindow> {
    await this.#run("viewWindow", [view, from, asked]);
    const spec = this.#views.get(view);
    if (!spec) throw { code: "notFound", message: "The view is closed." } as unknown as Error;
    this.widest = Math.max(this.widest, asked);
    const count = Math.min(500, asked);
    const [all, make] = this.#answer(spec);
    // Beyond the end of a log its last rows are answered.
    const first = spec.kind === "log" ? Math.min(from, Math.max(0, all - count)) : from;
    const rows = make(first, Math.max(0, Math.min(count, all - first)));
    return structuredClone({ view, version: this.#version, total: all, first, rows });
  }

  #answer(spec: ViewSpec): [number, (first: number, count: number) => Rows] {
    const part =
      <Row>(rows: Row[], make: (rows: Row[]) => Rows): ((first: number, count: number) => Rows) =>
      (first, count) =>
        make(rows.slice(first, first + count));
    switch (spec.kind) {
      case "jobs": {
        const rows = this.jobsFor(spec).map(({ row }) => row);
        const of = (kind: StateKind) =>
          this.jobs.filter(({ row }) => row.state.kind === kind).length;
        const counts: Counts = {
          queued: of("queued"),
          scheduled: of("scheduled"),
          running: of("running"),
          completed: of("completed"),
          failed: of("failed"),
          cancelled: of("cancelled"),
          unknown: of("unknown"),
        };
        return [rows.length, part(rows, (rows) => ({ kind: "jobs", rows, counts }))];
      }
      case "job": {
        const detail = this.find(spec.server, spec.job) ?? null;
        const lookup = detail ? null : this.lookup;
        return [detail ? 1 : 0, () => ({ kind: "job", detail, lookup })];
      }
      case "log": {
        const { total, row, state } = this.logFor(spec);
        const rows = (first: number, count: number) =>
          Array.from({ length: count }, (_, at) => row(first + at));
        return [total, (first, count) => ({ kind: "log", rows: rows(first, count), state })];
      }
      case "queues":
        return [this.queues.length, part(this.queues, (rows) => ({ kind: "queues", rows }))];
      case "notices": {
        const rows = this.noticesFor(spec);
        return [rows.length, part(rows, (rows) => ({ kind: "notices", rows }))];
      }
      case "frames":
        return [this.frames.length, part(this.frames, (rows) => ({ kind: "frames", rows }))];
    }
  }

  async closeView(view: number): Promise<void> {
    this.#views.delete(view);
  }

  #log(view: number): LogAnswer {
    return this.logFor(this.#views.get(view) as Spec<"log">);
  }

  async logSeek(...args: Parameters<Backend["logSeek"]>) {
    const [view, target, around] = args;
    await this.#run("logSeek", args, [target]);
    const row = this.#log(view).seek(target);
    if (row === null) return null;
    const first = Math.max(0, row - Math.floor(around / 2));
    const window = around === 0 ? null : await this.viewWindow(view, first, around);
    return { place: { row, nth: target.kind === "match" ? 1 : null }, window };
  }

  async logMap(...[view, slices, buckets]: Parameters<Backend["logMap"]>) {
    const { span } = this.#log(view).state;
    const fill = <Cell>(length: number, cell: Cell): Cell[] => Array.from({ length }, () => cell);
    return {
      span,
      slices: fill<[number, number]>(slices, [1, 1]),
      buckets: fill<[number, number, number]>(buckets, [3, 1, 1]),
    };
  }

  async logText(...args: Parameters<Backend["logText"]>) {
    const { spans } = this.#log(args[0]).row(args[1]);
    const text = spans.map((span) => span.text).join("");
    const plain = { text, more: 0, lines: [spans], json: null };
    return this.#run("logText", args, [args[1]], plain);
  }

  logCopy(...args: Parameters<Backend["logCopy"]>) {
    return this.#run("logCopy", args, args.slice(1), "");
  }

  logSave(...args: Parameters<Backend["logSave"]>) {
    return this.#run<"logSave", LogSaving>("logSave", args, args.slice(1, 3));
  }

  logSaveCancel = () => this.#run("logSaveCancel", []);
  logFetch = (view: number) => this.#run("logFetch", [view], []);
  lookingAt = (...args: Parameters<Backend["lookingAt"]>) => this.#run("lookingAt", args);

  async serverDraft(id: string) {
    const known = this.servers.find((server) => server.id === id);
    return this.#run("serverDraft", [id], [id], draft(known ?? server(id, "")));
  }

  saveServer(...args: Parameters<Backend["saveServer"]>) {
    return this.#run("saveServer", args, args.slice(0, 2), "s1");
  }

  testServer(...args: Parameters<Backend["testServer"]>) {
    for (const step of ["reached", "socket", "api", "key", "jobs"] as const) {
      if (!this.on.testServer) args[4]({ step, state: "good", text: "", remedy: null } as TestStep);
    }
    const well: TestVerdict = { ok: true, missing: "" };
    return this.#run("testServer", args, args.slice(0, 2), well);
  }

  probeServer(...args: Parameters<Backend["probeServer"]>) {
    const nothing: ProbeView = { found: [], text: "Nothing found.", instead: null, proxy: null };
    return this.#run("probeServer", args, args, nothing);
  }

  signIn(...args: Parameters<Backend["signIn"]>) {
    return this.#run("signIn", args, [args[0], args[1], args[4]], 1);
  }

  removeServer = (id: string) => this.#run("removeServer", [id]);
  pauseServer = (id: string) => this.#run("pauseServer", [id]);
  resumeServer = (id: string) => this.#run("resumeServer", [id]);
  reconnect = (id: string) => this.#run("reconnect", [id]);
  watch = (...args: Parameters<Backend["watch"]>) => this.#run("watch", args);
  unwatch = (...args: Parameters<Backend["unwatch"]>) => this.#run("unwatch", args);
  act = (...args: Parameters<Backend["act"]>) => this.#run("act", args);
  markRead = (...args: Parameters<Backend["markRead"]>) => this.#run("markRead", args);
  markAllRead = () => this.#run("markAllRead", []);
  dismiss = (ids: number[]) => this.#run("dismiss", [ids]);
  restore = (ids: number[]) => this.#run("restore", [ids]);

  /** Kept like the settings file keeps them, since the page shows them back. */
  async setPreferences(...args: Parameters<Backend["setPreferences"]>) {
    const set = Object.entries(args[0]).filter(([name]) => name in this.preferences);
    await this.#run("setPreferences", args);
    this.preferences = { ...this.preferences, ...Object.fromEntries(set) };
    this.touch();
  }

  mute(...args: Parameters<Backend["mute"]>) {
    return this.#run<"mute", Mute>("mute", args);
  }

  tryRule(...args: Parameters<Backend["tryRule"]>) {
    return this.#run("tryRule", args, args, { total: 14, matched: 0, examples: [] } as RuleTrial);
  }

  runRule = (...args: Parameters<Backend["runRule"]>) =>
    this.#run<"runRule", string[]>("runRule", args, args, []);
  startsAtLogin = () => this.#run("startsAtLogin", [], [], false);
  setStartAtLogin = (on: boolean) => this.#run("setStartAtLogin", [on]);
  setDemo = (on: boolean) => this.#run("setDemo", [on]);
  openLink = (url: string) => this.#run("openLink", [url]);
}
