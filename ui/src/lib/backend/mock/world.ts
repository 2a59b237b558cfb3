import type { JobDetail } from "../../generated/JobDetail";
import type { JobRow } from "../../generated/JobRow";
import type { Earlier } from "../../generated/Earlier";
import type { NoticeRow } from "../../generated/NoticeRow";
import type { FrameRow } from "../../generated/FrameRow";
import type { QueueRow } from "../../generated/QueueRow";
import type { ServerDraft } from "../../generated/ServerDraft";
import type { ServerView } from "../../generated/ServerView";
import type { StateKind } from "../../generated/StateKind";
import type { TimelineRow } from "../../generated/TimelineRow";
import { plainOf } from "./ansi";
import { colourful, type Entry, generated } from "./lines";

/** Everything the fake program knows of one job. */
export interface FakeJob {
  row: JobRow;
  timeline: TimelineRow[];
  logLines: number;
  /** The lines one by one; made from their numbers where there is none. */
  log?: Entry[];
  /** Changes with the lines where their number may not. */
  logStamp?: number;
  earlier?: Earlier;
  children?: FakeJob[];
  speed: number;
  error: string | null;
  result: string | null;
}

const DIALECTS: [string, string, string][] = [
  ["triggerx", "TriggerX", "ws://127.0.0.1:9002/api/ws/tasks"],
  ["study-buddy", "AI Study Buddy", "ws://127.0.0.1:3000"],
  ["analyzer", "Wallet analyzer", "ws://127.0.0.1:3001"],
  ["kecs", "KECS", "ws://127.0.0.1:8080/ws"],
  ["bull-board", "Better Bull Board", "ws://127.0.0.1:8081"],
];
const NAMES = [
  "Summarise lecture-07.pdf",
  "analyze-wallet 9xQeWv…VFin",
  "sync prices",
  "nightly-backup",
  "Render thumbnails",
  "import-users",
  "similarity 12 wallets",
  "send-digest",
  "web-frontend:42",
  "reindex search",
];
const QUEUES = ["pdf", "analysis-operations", "similarity-operations", "mail", "default"];
const STAGES = ["fetching", "parsing", "analysing", "writing notes"];
const ERRORS = [
  "Error: connect ECONNREFUSED 10.0.4.17:5432",
  "Timeout after 60 s while waiting for the model",
  "No valid wallets after filtering (see https://example.com/runbook/wallets)",
];
export function pseudo(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 4294967296;
  };
}

/** The fake program's state: servers, jobs, notices, frames. Deterministic by its seed. */
export class World {
  servers: ServerView[] = [];
  drafts = new Map<string, ServerDraft>();
  jobs: FakeJob[] = [];
  notices: NoticeRow[] = [];
  dismissed = new Map<number, NoticeRow>();
  frames: FrameRow[] = [];
  now: number;
  readonly random: () => number;
  #nextJob = 1;
  #nextNotice = 1;
  #nextFrame = 1;

  constructor(now: number, seed = 7) {
    this.now = now;
    this.random = pseudo(seed);
  }

  pick<T>(items: readonly T[]): T {
    return items[Math.floor(this.random() * items.length)] as T;
  }

  addDemo(): void {
    DIALECTS.forEach(([dialect, title, ws]) => {
      const id = `demo-${dialect}`;
      this.addServer(id, `Demo ${title}`, dialect, ws, true);
    });
    const [, buddy, analyzer, kecs, board] = this.servers;
    if (analyzer) {
      analyzer.status = {
        link: "polling",
        since: this.now - 240_000,
        lastHeard: this.now - 2000,
        nextTry: this.now + 21_000,
        attempt: 6,
        reason: "The socket closed with code 1006",
        incomplete: null,
        remedy: "reconnect",
      };
    }
    if (kecs) {
      kecs.status = {
        link: "offline",
        since: this.now - 900_000,
        lastHeard: this.now - 900_000,
        nextTry: this.now + 44_000,
        attempt: 9,
        reason: "Connection refused by 127.0.0.1:8080",
        incomplete: null,
        remedy: "reconnect",
      };
    }
    if (board) {
      board.status = {
        link: "refused",
        since: this.now - 60_000,
        lastHeard: null,
        nextTry: this.now + 260_000,
        attempt: 1,
        reason: "The server does not accept the key: Authentication required.",
        incomplete: null,
        remedy: "signIn",
      };
      board.key = "stored";
    }
    if (buddy) buddy.key = "stored";
  }

  addServer(id: string, name: string, dialect: string, ws: string, demo: boolean): void {
    const title = DIALECTS.find(([word]) => word === dialect)?.[1] ?? dialect;
    this.servers.push({
      id,
      name,
      dialect,
      dialectTitle: title,
      running: 0,
      jobs: 0,
      watch: ["all"],
      key: "none",
      demo,
      unreadable: 0,
      diagnostics: [],
      clockAhead: 0,
      status: {
        link: "live",
        since: this.now - 600_000,
        lastHeard: this.now - 800,
        nextTry: null,
        attempt: 0,
        reason: null,
        incomplete: null,
        remedy: null,
      },
    });
    this.drafts.set(id, {
      id,
      name,
      dialect,
      ws,
      api: "",
      watch: ["all"],
      keyPlacement: null,
      namespace: "",
      options: [],
      extraCa: "",
      signIn: null,
    });
  }

  addJobs(many: number): void {
    const kinds: StateKind[] = [
      "completed",
      "completed",
      "completed",
      "failed",
      "completed",
      "cancelled",
      "queued",
      "unknown",
    ];
    for (let index = 0; index < many; index += 1) {
      const kind: StateKind =
        index < 6 ? "running" : index < 9 ? "queued" : index === 9 ? "scheduled" : this.pick(kinds);
      this.addJob(kind, this.now - 20_000 - index * 61_000);
    }
    this.#addLogs();
  }

  /** Logs that are hard to show: one with everything, one with ten million lines, one of a family. */
  #addLogs(): void {
    const [, everything, huge, parent, one, other] = this.jobs;
    if (!everything || !huge || !parent || !one || !other) return;
    const home = this.servers[1] ?? this.servers[0];
    if (!home) return;
    for (const job of [everything, huge, parent, one, other])
      job.row = {
        ...job.row,
        server: home.id,
        serverName: home.name,
        stale: false,
        heardAt: this.now - 800,
      };
    everything.row = {
      ...everything.row,
      name: "build with colours",
      progress: null,
      stage: "step: building",
    };
    everything.log = colourful(this.now - 180_000);
    everything.logLines = everything.log.length;
    everything.earlier = "maybe";
    huge.row = {
      ...huge.row,
      name: "ten million lines",
      progress: null,
      startedAt: this.now - 1_310_000_000,
      stage: "step: counting",
    };
    huge.logLines = 10_000_000;
    parent.row = {
      ...parent.row,
      name: "publish release",
      progress: null,
      stage: "step: children",
    };
    parent.children = [one, other];
  }

  addJob(kind: StateKind, createdAt: number): FakeJob {
    const server = this.pick(this.servers);
    const number = this.#nextJob++;
    const started = kind === "queued" || kind === "scheduled" ? null : createdAt + 1800;
    const ended =
      kind === "completed" || kind === "failed" || kind === "cancelled"
        ? createdAt + 4000 + Math.floor(this.random() * 400_000)
        : null;
    const error = kind === "failed" ? this.pick(ERRORS) : null;
    const numeric = this.random() < 0.6;
    const named = this.pick(NAMES);
    const attempts = this.random() < 0.3 ? 3 : 1;
    const id =
      server.dialect === "kecs"
        ? `${number.toString(16).padStart(8, "0")}a3f4c1d09b7e42e6a1c8d5f0`
        : `job:${4200 + number}`;
    const row: JobRow = {
      server: server.id,
      serverName: server.name,
      id,
      shownId: id,
      naming: id,
      name: named,
      about: named === "send-digest" ? `week-${number}.html` : null,
      queue: this.pick(QUEUES),
      state: { kind, name: kind === "unknown" ? "waiting-children" : null },
      progress:
        kind === "completed"
          ? 100
          : kind === "running" && numeric
            ? Math.floor(this.random() * 90)
            : null,
      stage:
        kind === "running" && !numeric && this.random() < 0.7 ? `step: ${this.pick(STAGES)}` : null,
      text: error ?? (kind === "running" ? "processed batch of 250 rows" : null),
      createdAt,
      startedAt: started,
      finishedAt: ended === null ? null : Math.min(ended, this.now - 1000),
      attempt: attempts > 1 ? 1 + Math.floor(this.random() * 2) : null,
      maxAttempts: attempts > 1 ? attempts : null,
      watched: this.random() < 0.1,
      stale: server.status.link === "refused",
      asked: null,
      heardAt:
        server.status.link === "offline"
          ? this.now - 900_000
          : Math.min(this.now - 800, (ended ?? this.now) - 200),
    };
    const step = (
      at: number,
      from: StateKind | null,
      to: StateKind,
      failed = false,
    ): TimelineRow => ({
      at,
      attempt: row.attempt ?? 1,
      from: from === null ? null : { kind: from, name: null },
      to: { kind: to, name: to === "unknown" ? row.state.name : null },
      attemptFailed: failed,
      error: failed ? (ERRORS[0] ?? null) : null,
    });
    const timeline = [step(createdAt, null, "queued")];
    if (started !== null) timeline.push(step(started, "queued", "running"));
    if ((row.attempt ?? 1) > 1 && started !== null)
      timeline.push(step(started + 900, "running", "running", true));
    if (row.finishedAt !== null) timeline.push({ ...step(row.finishedAt, "running", kind), error });
    const job: FakeJob = {
      row,
      timeline,
      logLines: 40 + Math.floor(this.random() * 400),
      speed: 0.5 + this.random() * 4,
      error,
      result: kind === "completed" ? RESULT : null,
    };
    this.jobs.push(job);
    return job;
  }

  /** One step of the simulation. Says what changed. */
  step(): void {
    this.now = Date.now();
    for (const server of this.servers) {
      if (server.status.link === "live" || server.status.link === "polling")
        server.status = { ...server.status, lastHeard: this.now };
      if (server.status.nextTry !== null && server.status.nextTry < this.now) {
        server.status = {
          ...server.status,
          nextTry: this.now + 30_000,
          attempt: server.status.attempt + 1,
        };
      }
    }
    for (const job of this.jobs) {
      const server = this.servers.find((server) => server.id === job.row.server);
      if (server && !["live", "polling"].includes(server.status.link)) continue;
      if (job.row.state.kind === "running") this.#advance(job);
      else if (job.row.state.kind === "queued" && this.random() < 0.04) this.#move(job, "running");
    }
    if (this.random() < 0.12 && this.servers.length > 0) this.addJob("queued", this.now);
    this.count();
  }

  count(): void {
    for (const server of this.servers) {
      const own = this.jobs.filter((job) => job.row.server === server.id);
      server.jobs = own.length;
      server.running = own.filter((job) => job.row.state.kind === "running").length;
    }
  }

  #advance(job: FakeJob): void {
    if (this.random() < 0.5 && !job.log) {
      job.logLines += 1 + Math.floor(this.random() * 3);
      job.row = { ...job.row, heardAt: this.now, text: plainOf(generated(job, job.logLines).text) };
      this.frame(
        job,
        `42["job:progress",{"jobId":"${job.row.id}","progress":${job.row.progress ?? "null"}}]`,
      );
    }
    if (job.row.progress !== null) {
      const progress = Math.min(100, job.row.progress + job.speed * this.random());
      job.row = { ...job.row, progress };
      if (progress >= 100) this.#move(job, "completed");
    } else if (this.random() < 0.01) {
      this.#move(job, this.random() < 0.3 ? "failed" : "completed");
    }
  }

  #move(job: FakeJob, to: StateKind): void {
    const from = job.row.state;
    const ended = to !== "running";
    job.error = to === "failed" ? this.pick(ERRORS) : null;
    job.result = to === "completed" ? RESULT : null;
    job.row = {
      ...job.row,
      state: { kind: to, name: null },
      heardAt: this.now,
      startedAt: to === "running" ? this.now : job.row.startedAt,
      finishedAt: ended ? this.now : null,
      progress: to === "completed" ? 100 : to === "running" ? 0 : job.row.progress,
      text: job.error ?? job.row.text,
    };
    job.timeline = [
      ...job.timeline,
      {
        at: this.now,
        attempt: job.row.attempt ?? 1,
        from,
        to: job.row.state,
        attemptFailed: false,
        error: job.error,
      },
    ];
    if (ended) this.notice(job, this.now, false);
  }

  act(job: FakeJob, to: "cancelled" | "queued"): void {
    this.#move(job, to);
    if (to === "queued")
      job.row = { ...job.row, finishedAt: null, startedAt: null, progress: null };
  }

  /** The server is asked for lines that are missing, and answers a little later. */
  fetchLog(job: FakeJob, took: number, changed: () => void): void {
    const { log } = job;
    if (!log) return;
    job.logStamp = (job.logStamp ?? 0) + 1;
    job.earlier = job.earlier === "maybe" ? "asking" : (job.earlier ?? "never");
    job.log = log.map((entry) =>
      entry.gap ? { ...entry, gap: { ...entry.gap, fetching: true } } : entry,
    );
    setTimeout(() => {
      const first = log[0]?.at ?? this.now;
      const line = (id: string, at: number, text: string): Entry => ({
        id,
        line: 0,
        at,
        level: "info",
        origin: "build",
        text,
      });
      const before =
        job.earlier === "asking"
          ? Array.from({ length: 200 }, (_, index) =>
              line(`b${index}`, first - (200 - index) * 500, `resolved package ${index} of 200`),
            )
          : [];
      const filled = (job.log ?? []).flatMap((entry) =>
        entry.gap
          ? [
              line("g1", entry.gap.from + 9000, "heard late: linking"),
              line("g2", entry.gap.from + 21_000, "heard late: stripped 4 MB"),
            ]
          : [entry],
      );
      job.log = [...before, ...filled].map((entry, index) => ({ ...entry, line: index + 1 }));
      job.logLines = job.log.length;
      job.earlier = "never";
      job.logStamp = (job.logStamp ?? 0) + 1;
      changed();
    }, took * 600);
    changed();
  }

  notice(job: FakeJob, at: number, read: boolean): void {
    const failed = job.row.state.kind === "failed";
    this.notices.unshift({
      id: this.#nextNotice++,
      server: job.row.server,
      serverName: job.row.serverName,
      job: job.row.id,
      title: `${job.row.name} ${failed ? "failed" : "completed"}`,
      body: `${job.row.serverName} · 4 m 12 s${failed ? ` · ${job.error ?? ""}` : ""}`,
      tone: failed ? "bad" : "good",
      at,
      read,
      rule: failed ? "Failures" : "Jobs I watch",
      output: null,
      group: null,
      folded: [],
      name: job.row.name,
      failed,
      queue: job.row.queue,
      actions: failed ? ["retry"] : [],
      asked: null,
    });
  }

  addNotices(many: number): void {
    const ended = this.jobs.filter((job) => job.row.finishedAt !== null);
    for (let index = Math.min(many, ended.length) - 1; index >= 0; index -= 1) {
      const job = ended[index];
      if (job) this.notice(job, this.now - index * 5_400_000, index > 3);
    }
  }

  frame(job: FakeJob, text: string): void {
    this.frames.push({
      seq: this.#nextFrame++,
      at: this.now,
      incoming: this.random() < 0.9,
      transport: this.random() < 0.85 ? "socket" : "http",
      text,
      bytes: text.length,
    });
    if (this.frames.length > 2000) this.frames.splice(0, 500);
    void job;
  }

  queues(): QueueRow[] {
    const found = new Map<string, QueueRow>();
    for (const { row } of this.jobs) {
      if (row.queue === null) continue;
      const key = `${row.server}/${row.queue}`;
      const queue = found.get(key) ?? {
        server: row.server,
        serverName: row.serverName,
        name: row.queue,
        paused: row.queue === "mail",
        waiting: 0,
        active: 0,
        completed: 0,
        failed: 0,
        delayed: null,
      };
      if (row.state.kind === "queued") queue.waiting = (queue.waiting ?? 0) + 1;
      if (row.state.kind === "running") queue.active = (queue.active ?? 0) + 1;
      if (row.state.kind === "completed") queue.completed = (queue.completed ?? 0) + 1;
      if (row.state.kind === "failed") queue.failed = (queue.failed ?? 0) + 1;
      found.set(key, queue);
    }
    return [...found.values()].sort(
      (a, b) => a.serverName.localeCompare(b.serverName) || a.name.localeCompare(b.name),
    );
  }

  detail(job: FakeJob): JobDetail {
    const { row } = job;
    const points = (base: number, spread: number): [number, number][] =>
      Array.from({ length: 60 }, (_, index) => [
        this.now - (60 - index) * 5000,
        base + Math.sin(index / 5 + row.id.length) * spread,
      ]);
    return {
      row,
      parent: null,
      children: (job.children ?? []).map((child) => child.row),
      externalId: null,
      user: "u-104",
      message: row.text,
      error: job.error,
      stack: job.error
        ? `${job.error}\n    at Socket.<anonymous> (/srv/app/db.js:41:11)\n    at Socket.emit (node:events:517:28)`
        : null,
      detail: null,
      data: DATA,
      result: job.result,
      extra: [
        ["priority", "0"],
        ["delay", "null"],
      ],
      source: "socket",
      timeline: job.timeline,
      actions:
        row.state.kind === "running" || row.state.kind === "queued"
          ? ["cancel"]
          : row.state.kind === "failed"
            ? ["retry"]
            : [],
      metrics:
        row.state.kind === "running"
          ? [
              { name: "CPU", unit: "%", points: points(42, 20) },
              { name: "Memory", unit: "MiB", points: points(310, 40) },
            ]
          : [],
      logLines: job.log?.length ?? job.logLines,
    };
  }
}

const DATA = `{"userId":"u-104","wei":115792089237316195423570985008687907853269984665640564039457584007913129639935,"file":{"name":"lecture-07.pdf","bytes":4812231,"tags":["biology","cells"]},"dryRun":false,"note":null}`;
const RESULT = `{"pairs":[{"a":"9xQeWv","b":"7Yttu3","score":0.8714}],"pageCount":42,"notesUrl":"https://example.com/notes/77","ratio":0.10}`;
