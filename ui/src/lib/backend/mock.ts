import type { AskedState } from "../generated/AskedState";
import type { Counts } from "../generated/Counts";
import type { ErrorCode } from "../generated/ErrorCode";
import type { JobLookup } from "../generated/JobLookup";
import type { JobRow } from "../generated/JobRow";
import type { Mute } from "../generated/Mute";
import type { MuteBy } from "../generated/MuteBy";
import type { MuteTarget } from "../generated/MuteTarget";
import type { Overview } from "../generated/Overview";
import type { Preferences } from "../generated/Preferences";
import type { PreferencesPatch } from "../generated/PreferencesPatch";
import type { ProbeFound } from "../generated/ProbeFound";
import type { ProbeView } from "../generated/ProbeView";
import type { Remedy } from "../generated/Remedy";
import type { Rows } from "../generated/Rows";
import type { StateKind } from "../generated/StateKind";
import type { TestStepKind } from "../generated/TestStepKind";
import type { TestVerdict } from "../generated/TestVerdict";
import type { Tick } from "../generated/Tick";
import type { UserError } from "../generated/UserError";
import type { ViewSpec } from "../generated/ViewSpec";
import type { ViewWindow } from "../generated/ViewWindow";
import { blank } from "../settings/rules";
import type { Backend } from "./backend";
import { FakeLog } from "./mock/logs";
import { type FakeJob, World } from "./mock/world";

/** What the fake program holds when it starts. */
export type Scene = "demo" | "first" | "empty" | "overfull" | "failed" | "loading" | "troubled";

export interface MockOptions {
  scene?: Scene;
  /** Jobs move by themselves. */
  live?: boolean;
  now?: number;
}

/** A fake of the program inside the page: for tests, and for looking at the page in a browser. */
export class Mock implements Backend {
  readonly world: World;
  /** Every command with its arguments except keys, oldest first. */
  readonly calls: { name: string; args: unknown[] }[] = [];
  /** Commands that fail next time, by name. */
  readonly failing = new Map<string, UserError>();
  /** The longest range any view was asked for. */
  widest = 0;
  /** Whether a key arrived with the last save or test. */
  keyGiven = false;
  /** Whether further headers did. */
  headersGiven = false;
  readonly #scene: Scene;
  readonly #views = new Map<number, ViewSpec>();
  readonly #logs = new Map<number, FakeLog>();
  #saving: { cancelled: boolean } | null = null;
  #nextView = 1;
  #version = 0;
  #demo = false;
  /** Until then a server does not answer what is asked of it. */
  answers: Promise<void> = Promise.resolve();
  /** Why a server refuses what is asked of it; null where it does not. */
  refusal: string | null = null;
  #preferences: Overview["preferences"] = {
    theme: "system",
    zoom: 100,
    popups: true,
    logMegabytes: 2048,
    logDays: 90,
    quietHours: [],
    quietLetsFailures: false,
    snoozedUntil: null,
    muted: [],
    criticalFailures: false,
    rules: [
      { ...blank(), name: "Failures" },
      {
        ...blank(),
        name: "Jobs I watch",
        kinds: ["failed", "stillFailing", "fixed", "completed", "cancelled"],
        watched: true,
      },
      { ...blank(), name: "Connections", kinds: ["lost", "back"] },
    ],
    sound: true,
    closeToTray: true,
    shortcut: "",
    toldOfTray: true,
  };
  #atLogin = false;
  #onTick: (tick: Tick) => void = () => undefined;

  constructor({ scene = "demo", live = true, now = Date.now() }: MockOptions = {}) {
    this.#scene = scene;
    this.world = new World(now);
    if (scene === "empty")
      this.world.addServer("s1", "Staging", "study-buddy", "ws://127.0.0.1:3000", false);
    else if (scene !== "first") this.#fill(scene === "overfull" ? 20_000 : 60);
    if (live) setInterval(() => this.advance(), 250);
  }

  /** One step of the simulation, and the tick that tells of it. */
  advance(): void {
    this.world.step();
    this.touch();
  }

  /** The channel stalls: no tick arrives until the page listens anew. */
  deafen(): void {
    this.#onTick = () => undefined;
  }

  /** Tells every open view and the overview that something changed, or only the views of one kind. */
  touch(open: Tick["open"] = null, kind: ViewSpec["kind"] | null = null): void {
    this.#version += 1;
    const views = [...this.#views]
      .filter(([, spec]) => kind === null || spec.kind === kind)
      .map(([id]) => id);
    this.#onTick({ overview: kind === null, views, open });
  }

  #fill(jobs: number): void {
    this.#demo = true;
    this.world.addDemo();
    this.world.addJobs(jobs);
    this.world.addNotices(jobs > 1000 ? 900 : 14);
    this.world.count();
    const [first] = this.world.jobs;
    if (first)
      for (let index = 0; index < 60; index += 1)
        this.world.frame(
          first,
          `42["job:progress",{"jobId":"${first.row.id}","progress":${index}}]`,
        );
    if (this.#scene === "overfull" && first) {
      first.logLines = 2_000_000;
      this.world.servers.forEach((server, index) => {
        if (index === 0)
          server.name = "A server whose name somebody made far too long for any column";
      });
    }
  }

  #call(name: string, ...args: unknown[]): void {
    this.calls.push({ name, args });
    const failure = this.failing.get(name);
    if (failure) {
      this.failing.delete(name);
      throw failure;
    }
    if (this.#scene === "failed")
      throw error(
        "internal",
        "Jobwatch could not read its history. Free some disk space and try again.",
      );
  }

  async #answer(): Promise<void> {
    if (this.#scene === "loading") await new Promise(() => undefined);
  }

  async subscribe(onTick: (tick: Tick) => void): Promise<void> {
    this.#onTick = onTick;
  }

  async overview(): Promise<Overview> {
    this.#call("overview");
    await this.#answer();
    const troubled = this.#scene === "troubled";
    return structuredClone({
      servers: this.world.servers,
      running: this.world.servers.reduce((sum, server) => sum + server.running, 0),
      jobs: this.world.jobs.length,
      unread: this.world.notices.filter((notice) => !notice.read).length,
      health: {
        notifications: troubled
          ? "No notification service answers on this desktop. Everything else works."
          : null,
        keyring: troubled
          ? "The keyring is locked. Unlock it, or give keys for this session only."
          : null,
        history: null,
        logs: null,
        settings: null,
      },
      preferences: this.#preferences,
      quietUntil:
        this.#preferences.snoozedUntil !== null && this.#preferences.snoozedUntil > Date.now()
          ? this.#preferences.snoozedUntil
          : null,
      desktopQuiet: false,
      demo: this.#demo,
    });
  }

  async openView(spec: ViewSpec): Promise<number> {
    this.#call("openView", spec);
    const id = this.#nextView++;
    this.#views.set(id, spec);
    return id;
  }

  async viewWindow(view: number, first: number, count: number): Promise<ViewWindow> {
    const spec = this.#views.get(view);
    if (!spec) throw error("notFound", "The view is closed.");
    this.widest = Math.max(this.widest, count);
    await this.#answer();
    const many = Math.min(500, count);
    let [rows, total] = this.#query(view, spec, first, many);
    // Of a log, the last rows are what lies beyond its end.
    if (spec.kind === "log" && first + many > total) {
      first = Math.max(0, total - many);
      [rows, total] = this.#query(view, spec, first, many);
    }
    return structuredClone({ view, version: this.#version, total, first, rows });
  }

  /** What servers say of jobs that are not known. */
  lookup: JobLookup = { kind: "unknown" };

  async closeView(view: number): Promise<void> {
    this.#views.delete(view);
    this.#logs.delete(view);
  }

  /** Views that are open now. */
  get open(): ViewSpec[] {
    return [...this.#views.values()];
  }

  #query(view: number, spec: ViewSpec, first: number, count: number): [Rows, number] {
    const cut = <T>(all: T[]): T[] => all.slice(first, first + count);
    switch (spec.kind) {
      case "jobs": {
        const text = spec.search.toLowerCase();
        const found = this.world.jobs
          .map((job) => job.row)
          .filter(
            (row) =>
              (spec.server === null || row.server === spec.server) &&
              (spec.queue === null || row.queue === spec.queue) &&
              (text === "" ||
                [row.name, row.id, row.queue, row.text].some((part) =>
                  part?.toLowerCase().includes(text),
                )),
          );
        const counts: Counts = {
          queued: 0,
          scheduled: 0,
          running: 0,
          completed: 0,
          failed: 0,
          cancelled: 0,
          unknown: 0,
        };
        for (const row of found) counts[row.state.kind] += 1;
        const rows = found
          .filter((row) => spec.states.length === 0 || spec.states.includes(row.state.kind))
          .sort(ORDER[spec.sort]);
        return [{ kind: "jobs", rows: cut(rows), counts }, rows.length];
      }
      case "job": {
        const job = this.#find(spec.server, spec.job);
        return [
          {
            kind: "job",
            detail: job ? this.world.detail(job) : null,
            lookup: job ? null : this.lookup,
          },
          job ? 1 : 0,
        ];
      }
      case "log": {
        const log = this.#log(view);
        return [{ kind: "log", rows: log.rows(first, count), state: log.state() }, log.total];
      }
      case "queues": {
        const all = this.world
          .queues()
          .filter((queue) => spec.server === null || queue.server === spec.server);
        return [{ kind: "queues", rows: cut(all) }, all.length];
      }
      case "notices": {
        const found = (text: string) => text.toLowerCase().includes(spec.search.toLowerCase());
        const all = this.world.notices.filter(
          (notice) =>
            (!spec.unread || !notice.read) &&
            (!spec.failures || notice.tone === "bad") &&
            (found(notice.title) || found(notice.body) || found(notice.serverName)),
        );
        return [{ kind: "notices", rows: cut(all) }, all.length];
      }
      case "frames": {
        const all = this.world.frames.filter(
          (frame) => spec.job === null || frame.text.includes(`"${spec.job}"`),
        );
        return [{ kind: "frames", rows: cut(all) }, all.length];
      }
    }
  }

  #find(server: string, id: string): FakeJob | undefined {
    return this.world.jobs.find((job) => job.row.server === server && job.row.id === id);
  }

  #log(view: number): FakeLog {
    const spec = this.#views.get(view);
    if (spec?.kind !== "log") throw error("notFound", "The view is closed.");
    const known = this.#logs.get(view);
    if (known) return known;
    const jobs = spec.jobs.flatMap(({ server, job }) => this.#find(server, job) ?? []);
    const log = new FakeLog(jobs, spec.filter, () => this.touch());
    this.#logs.set(view, log);
    return log;
  }

  async logSeek(...[view, target, around]: Parameters<Backend["logSeek"]>) {
    this.#call("logSeek", target);
    const place = this.#log(view).seek(target);
    if (place === null) return null;
    const first = Math.max(0, place.row - Math.floor(around / 2));
    return { place, window: around === 0 ? null : await this.viewWindow(view, first, around) };
  }

  async logMap(...[view, slices, buckets]: Parameters<Backend["logMap"]>) {
    return this.#log(view).map(slices, buckets);
  }

  async logText(...[view, row]: Parameters<Backend["logText"]>) {
    this.#call("logText", row);
    return this.#log(view).text(row);
  }

  async logCopy(...[view, first, count, format]: Parameters<Backend["logCopy"]>) {
    this.#call("logCopy", first, count, format);
    return this.#log(view).copy(first, count, format);
  }

  async logSave(...[view, filtered, format, onProgress]: Parameters<Backend["logSave"]>) {
    this.#call("logSave", filtered, format);
    const log = this.#log(view);
    const total = filtered ? log.total : log.state().lines;
    const saving = { cancelled: false };
    this.#saving = saving;
    const said = (rows: number, ended = false) => ({
      rows,
      total,
      path: "/home/ada/logs/job.log",
      ended,
      cancelled: saving.cancelled,
      problem: null,
    });
    for (let step = 0; step < 10 && !saving.cancelled; step += 1) {
      onProgress(said(Math.floor((total * step) / 10)));
      await new Promise((done) => setTimeout(done, 60));
    }
    return said(saving.cancelled ? 0 : total, true);
  }

  async logSaveCancel(): Promise<void> {
    this.#call("logSaveCancel");
    if (this.#saving) this.#saving.cancelled = true;
  }

  async logFetch(view: number): Promise<void> {
    this.#call("logFetch");
    const spec = this.#views.get(view);
    const jobs =
      spec?.kind === "log"
        ? spec.jobs.flatMap(({ server, job }) => this.#find(server, job) ?? [])
        : [];
    for (const job of jobs) this.world.fetchLog(job, 1, () => this.touch());
  }

  #change(id: string, link: "connecting" | "paused" | "live"): void {
    const server = this.world.servers.find((server) => server.id === id);
    if (!server) throw error("notFound", "No such server.");
    server.status = {
      ...server.status,
      link,
      since: Date.now(),
      reason: null,
      remedy: null,
      nextTry: null,
      attempt: 0,
    };
    this.touch();
    if (link === "connecting") setTimeout(() => this.#change(id, "live"), 900);
  }

  async lookingAt(focused: boolean, job: unknown): Promise<void> {
    this.calls.push({ name: "lookingAt", args: [focused, job] });
  }

  async serverDraft(id: string) {
    this.#call("serverDraft", id);
    const draft = this.world.drafts.get(id);
    if (!draft) throw error("notFound", "No such server.");
    return structuredClone(draft);
  }

  async saveServer(
    ...[draft, change, key, headers]: Parameters<Backend["saveServer"]>
  ): Promise<string> {
    this.keyGiven = key !== null && key !== "";
    this.headersGiven = headers !== null;
    this.#call("saveServer", draft, change);
    if (!URL.canParse(draft.ws)) throw error("invalid", "The socket's URL is not a URL.");
    const known = this.world.servers.find((server) => server.id === draft.id);
    const name = draft.name || new URL(draft.ws).host;
    const id = known?.id ?? `s${this.world.servers.length + 1}`;
    if (known) known.name = name;
    else this.world.addServer(id, name, draft.dialect, draft.ws, false);
    const server = this.world.servers.find((server) => server.id === id);
    if (server && change !== "keep")
      server.key = change === "store" ? "stored" : change === "session" ? "session" : "none";
    this.world.drafts.set(id, { ...structuredClone(draft), id, name });
    this.touch();
    return id;
  }

  async testServer(
    ...[draft, change, key, headers, onStep]: Parameters<Backend["testServer"]>
  ): Promise<TestVerdict> {
    this.keyGiven = key !== null && key !== "";
    this.headersGiven = headers !== null;
    this.#call("testServer", draft, change);
    // What the fake server thinks of the name that it is given.
    const bad: [TestStepKind, Remedy] | null =
      draft.name === "refuse"
        ? ["key", "enterKey"]
        : draft.name === "wrong kind"
          ? ["api", "chooseKind"]
          : null;
    const steps: [TestStepKind, string][] = [
      ["reached", "127.0.0.1 answers."],
      ["socket", "The socket is open."],
      ["api", "It answers at /api."],
      ["key", "The API accepts it, and answers nobody without one."],
      ["jobs", "It lists 42 jobs."],
    ];
    for (const [step, text] of steps) {
      onStep({ step, state: "running", text: "", remedy: null });
      await new Promise((done) => setTimeout(done, 20));
      if (step === bad?.[0]) {
        onStep({
          step,
          state: "bad",
          text: "Wrong key. Check the key, or set where it is sent under Advanced.",
          remedy: bad[1],
        });
        return { ok: false, missing: "Saved anyway, nothing is shown until a key is accepted." };
      }
      onStep({ step, state: "good", text, remedy: null });
    }
    return { ok: true, missing: "" };
  }

  /** What probes find, by the port of the URL. */
  readonly behind: Record<string, ProbeView> = {
    "3000": {
      found: [this.#answers("study-buddy", "AI Study Buddy")],
      text: "AI Study Buddy: its API answers at /jobs/user/me.",
      instead: null,
      proxy: null,
    },
    "3001": {
      found: [this.#answers("analyzer", "Wallet analyzer")],
      text: "Wallet analyzer: its API answers at /api/v1.",
      instead: null,
      proxy: null,
    },
    "3002": {
      found: [
        {
          ...this.#answers("bull-board", "Better Bull Board"),
          ws: "ws://127.0.0.1:8081/",
          api: "http://127.0.0.1:3002/api",
          wantsKey: true,
        },
      ],
      text: "Better Bull Board: its API answers at /api. Its socket is at 127.0.0.1:8081.",
      instead: null,
      proxy: null,
    },
    "3003": {
      found: [],
      text: "127.0.0.1:3003 speaks http, not https. Use http://127.0.0.1:3003/.",
      instead: "http://127.0.0.1:3001/",
      proxy: null,
    },
  };

  #answers(dialect: string, title: string): ProbeFound {
    return { dialect, title, sure: true, ws: "", api: "", options: [], wantsKey: false };
  }

  async probeServer(...[url, extraCa]: Parameters<Backend["probeServer"]>): Promise<ProbeView> {
    this.#call("probeServer", url, extraCa);
    const port = /:(\d+)/.exec(url)?.[1] ?? "";
    const known = this.behind[port];
    if (!known)
      return {
        found: [],
        text: `Nothing listens at ${url}. Is the server running, and is the port right?`,
        instead: null,
        proxy: null,
      };
    return {
      ...known,
      found: known.found.map((one) => ({ ...one, ws: one.ws || `ws://127.0.0.1:${port}/` })),
    };
  }

  async signIn(
    ...[draft, email, password, , stay]: Parameters<Backend["signIn"]>
  ): Promise<number> {
    this.#call("signIn", draft, email, stay);
    if (password === "wrong")
      throw error(
        "signIn",
        "127.0.0.1:3000 does not accept this e-mail and password: Invalid credentials.",
      );
    return 1;
  }

  async removeServer(id: string): Promise<void> {
    this.#call("removeServer", id);
    this.world.servers = this.world.servers.filter((server) => server.id !== id);
    this.world.jobs = this.world.jobs.filter((job) => job.row.server !== id);
    this.touch();
  }

  async pauseServer(id: string): Promise<void> {
    this.#call("pauseServer", id);
    this.#change(id, "paused");
  }

  async resumeServer(id: string): Promise<void> {
    this.#call("resumeServer", id);
    this.#change(id, "connecting");
  }

  async reconnect(id: string): Promise<void> {
    this.#call("reconnect", id);
    this.#change(id, "connecting");
  }

  async watch(server: string, topic: string): Promise<void> {
    this.#call("watch", server, topic);
    this.#watch(server, topic, true);
  }

  async unwatch(server: string, topic: string): Promise<void> {
    this.#call("unwatch", server, topic);
    this.#watch(server, topic, false);
  }

  #watch(server: string, topic: string, watched: boolean): void {
    const job = this.#find(server, topic.slice("job:".length));
    if (job) job.row = { ...job.row, watched };
    this.touch();
  }

  async act(server: string, id: string, action: "cancel" | "retry"): Promise<void> {
    this.#call("act", server, id, action);
    const job = this.#find(server, id);
    if (!job) throw error("notFound", "No such job.");
    const asked = (state: AskedState, message: string | null = null) => {
      job.row = { ...job.row, asked: { action, state, message, run: null } };
      for (const notice of this.world.notices)
        if (notice.server === server && notice.job === id) notice.asked = job.row.asked;
      this.touch();
    };
    asked("asked");
    await this.answers;
    if (this.refusal !== null) {
      asked("refused", this.refusal);
      throw error("server", this.refusal);
    }
    this.world.act(job, action === "cancel" ? "cancelled" : "queued");
    asked("accepted");
  }

  async markRead(ids: number[], read: boolean): Promise<void> {
    this.#call("markRead", ids, read);
    this.world.notices = this.world.notices.map((notice) =>
      ids.includes(notice.id) ? { ...notice, read } : notice,
    );
    this.touch();
  }

  async markAllRead(): Promise<void> {
    this.#call("markAllRead");
    this.world.notices = this.world.notices.map((notice) => ({ ...notice, read: true }));
    this.touch();
  }

  async dismiss(ids: number[]): Promise<void> {
    this.#call("dismiss", ids);
    for (const notice of this.world.notices)
      if (ids.includes(notice.id)) this.world.dismissed.set(notice.id, notice);
    this.world.notices = this.world.notices.filter((notice) => !ids.includes(notice.id));
    this.touch();
  }

  async restore(ids: number[]): Promise<void> {
    this.#call("restore", ids);
    const back = ids
      .map((id) => this.world.dismissed.get(id))
      .filter((notice) => notice !== undefined);
    this.world.notices = [...this.world.notices, ...back].sort((a, b) => b.at - a.at);
    this.touch();
  }

  async tryRule(...[rule]: Parameters<Backend["tryRule"]>) {
    this.#call("tryRule", rule);
    const broken = [...rule.names, ...rule.queues, ...rule.users].find((pattern) =>
      pattern.startsWith("/("),
    );
    if (broken !== undefined) throw error("invalid", `“${broken}” is not a valid pattern: unclosed group.`);
    const bad = rule.kinds.includes("failed");
    const told = this.world.notices.filter((notice) => (notice.tone === "bad") === bad);
    return {
      total: this.world.notices.length,
      matched: told.length,
      examples: told.slice(0, 5).map(({ title, serverName, at }) => ({ title, serverName, at })),
    };
  }

  async runRule(...[rule]: Parameters<Backend["runRule"]>) {
    this.#call("runRule", rule);
    return [`${rule.run[0] ?? rule.post}: done, after 12 ms.`];
  }

  async startsAtLogin() {
    return this.#atLogin;
  }

  async setStartAtLogin(on: boolean) {
    this.#atLogin = on;
  }

  async setPreferences({ mute = [], unmute = [], ...patch }: PreferencesPatch): Promise<void> {
    this.#call("setPreferences", { mute, unmute, ...patch });
    const same = (one: Mute, other: Mute) => JSON.stringify(one) === JSON.stringify(other);
    const kept = (patch.muted ?? this.#preferences.muted).filter(
      (one) => !unmute.some((other) => same(one, other)),
    );
    this.#preferences = {
      ...this.#preferences,
      ...(patch as Partial<Preferences>),
      muted: [...kept, ...mute],
    };
    this.touch();
  }

  async mute(target: MuteTarget, by: MuteBy): Promise<Mute> {
    this.#call("mute", target, by);
    const notice =
      target.kind === "notice" ? this.world.notices.find(({ id }) => id === target.id) : undefined;
    const job = target.kind === "job" ? this.#find(target.server, target.job) : undefined;
    if (!notice && !job) throw error("notFound", "No such job.");
    const name = notice?.name ?? job?.row.name ?? "";
    const mute: Mute = {
      server: notice?.server ?? job?.row.server ?? "",
      name: by === "name" ? name : null,
      error: by === "error" ? "disk full" : null,
      queue: by === "queue" ? (notice?.queue ?? job?.row.queue ?? "") : null,
    };
    await this.setPreferences({ mute: [mute] });
    return mute;
  }

  async setDemo(on: boolean): Promise<void> {
    this.#call("setDemo", on);
    if (on && !this.#demo) this.#fill(60);
    if (!on) {
      this.world.servers = this.world.servers.filter((server) => !server.demo);
      this.world.jobs = [];
    }
    this.#demo = on;
    this.touch();
  }

  async openLink(url: string): Promise<void> {
    this.#call("openLink", url);
  }
}

function error(code: ErrorCode, message: string): UserError {
  return { code, message };
}

const RANK: Record<StateKind, number> = {
  running: 0,
  queued: 1,
  scheduled: 1,
  unknown: 2,
  completed: 2,
  failed: 2,
  cancelled: 2,
};
const taken = (row: JobRow) =>
  row.startedAt === null ? 0 : (row.finishedAt ?? Date.now()) - row.startedAt;
const ORDER = {
  activity: (a: JobRow, b: JobRow) =>
    RANK[a.state.kind] - RANK[b.state.kind] ||
    (b.finishedAt ?? b.startedAt ?? b.createdAt ?? 0) -
      (a.finishedAt ?? a.startedAt ?? a.createdAt ?? 0),
  created: (a: JobRow, b: JobRow) => (b.createdAt ?? 0) - (a.createdAt ?? 0),
  name: (a: JobRow, b: JobRow) => a.name.localeCompare(b.name),
  duration: (a: JobRow, b: JobRow) => taken(b) - taken(a),
};
