import type { FrameRow } from "../generated/FrameRow";
import type { JobDetail } from "../generated/JobDetail";
import type { JobRow } from "../generated/JobRow";
import type { NoticeRow } from "../generated/NoticeRow";
import type { Preferences } from "../generated/Preferences";
import type { QueueRow } from "../generated/QueueRow";
import type { ServerDraft } from "../generated/ServerDraft";
import type { ServerView } from "../generated/ServerView";
import type { StateKind } from "../generated/StateKind";
import { blank } from "../settings/rules";

export const NOW = Date.now();

export function server(id: string, name: string, change: Partial<ServerView> = {}): ServerView {
  return {
    id,
    name,
    dialect: "study-buddy",
    dialectTitle: "AI Study Buddy",
    running: 0,
    jobs: 0,
    watch: ["all"],
    key: "none",
    demo: false,
    unreadable: 0,
    diagnostics: [],
    clockAhead: 0,
    status: {
      link: "live",
      since: NOW - 600_000,
      lastHeard: NOW - 800,
      nextTry: null,
      attempt: 0,
      reason: null,
      incomplete: null,
      remedy: null,
    },
    ...change,
  };
}

export function draft({ id, name, dialect }: ServerView): ServerDraft {
  return {
    id,
    name,
    dialect,
    ws: "ws://127.0.0.1:3000",
    api: "",
    watch: ["all"],
    keyPlacement: null,
    namespace: "",
    options: [],
    extraCa: "",
    signIn: null,
  };
}

/** The five servers of the demo: two are live, the others have a problem each. */
export function demoServers(): ServerView[] {
  const demo = (dialect: string, dialectTitle: string, change: Partial<ServerView> = {}) =>
    server(`demo-${dialect}`, `Demo ${dialectTitle}`, {
      dialect,
      dialectTitle,
      demo: true,
      ...change,
    });
  const { status } = server("", "");
  return [
    demo("triggerx", "TriggerX"),
    demo("study-buddy", "AI Study Buddy", { key: "stored" }),
    demo("analyzer", "Wallet analyzer", {
      status: {
        ...status,
        link: "polling",
        nextTry: NOW + 21_000,
        attempt: 6,
        reason: "The socket closed with code 1006",
        remedy: "reconnect",
      },
    }),
    demo("kecs", "KECS", {
      status: {
        ...status,
        link: "offline",
        nextTry: NOW + 44_000,
        attempt: 9,
        reason: "Connection refused by 127.0.0.1:8080",
        remedy: "reconnect",
      },
    }),
    demo("bull-board", "Better Bull Board", {
      key: "stored",
      status: {
        ...status,
        link: "refused",
        lastHeard: null,
        attempt: 1,
        reason: "The server does not accept the key: Authentication required.",
        remedy: "signIn",
      },
    }),
  ];
}

export function row(number: number, kind: StateKind, change: Partial<JobRow> = {}): JobRow {
  const ended = kind === "completed" || kind === "failed" || kind === "cancelled";
  const createdAt = NOW - 20_000 - number * 61_000;
  return {
    server: "demo-study-buddy",
    serverName: "Demo AI Study Buddy",
    id: `job:${4200 + number}`,
    shownId: `job:${4200 + number}`,
    naming: `job:${4200 + number}`,
    name: `import ${number}`,
    about: null,
    queue: "mail",
    state: { kind, name: null },
    progress: kind === "completed" ? 100 : kind === "running" ? 40 : null,
    stage: null,
    text: kind === "failed" ? "disk full" : kind === "running" ? "processed 250 rows" : null,
    createdAt,
    startedAt: kind === "queued" || kind === "scheduled" ? null : createdAt + 1800,
    finishedAt: ended ? createdAt + 14_000 : null,
    attempt: null,
    maxAttempts: null,
    watched: false,
    stale: false,
    heardAt: NOW - 800,
    asked: null,
    ...change,
  };
}

const DATA = `{"wei":115792089237316195423570985008687907853269984665640564039457584007913129639935}`;

export function job(number: number, kind: StateKind, change: Partial<JobDetail> = {}): JobDetail {
  const own = change.row ?? row(number, kind);
  const points: [number, number][] = [20, 60, 40].map((value, at) => [
    NOW - 15_000 + at * 5000,
    value,
  ]);
  return {
    row: own,
    parent: null,
    children: [],
    externalId: null,
    user: "u-104",
    message: null,
    error: kind === "failed" ? "disk full" : null,
    stack: null,
    detail: null,
    data: DATA,
    result: null,
    extra: [["priority", "0"]],
    source: "socket",
    timeline: [
      {
        at: own.createdAt ?? NOW,
        attempt: 1,
        from: null,
        to: own.state,
        attemptFailed: false,
        error: null,
      },
    ],
    actions: kind === "running" ? ["cancel"] : kind === "failed" ? ["retry"] : [],
    metrics: kind === "running" ? [{ name: "CPU", unit: "%", points }] : [],
    logLines: 200,
    ...change,
  };
}

const KINDS: StateKind[] = ["completed", "failed", "completed", "cancelled", "unknown"];

/** A list as the program orders it: what runs first, then what waits, then what ended. */
export function jobs(many: number): JobDetail[] {
  return Array.from({ length: many }, (_, index) =>
    job(index, index < 6 ? "running" : index < 9 ? "queued" : (KINDS[index % 5] ?? "completed")),
  );
}

export function notice(id: number, change: Partial<NoticeRow> = {}): NoticeRow {
  const failed = id % 2 === 0;
  return {
    id,
    server: "demo-study-buddy",
    serverName: "Demo AI Study Buddy",
    job: `job:${4200 + id}`,
    title: `import ${id} ${failed ? "failed" : "completed"}`,
    body: "Demo AI Study Buddy · 4 m 12 s",
    tone: failed ? "bad" : "good",
    at: NOW - (14 - id) * 60_000,
    read: id < 11,
    rule: "Failures",
    output: null,
    group: null,
    folded: [],
    name: `import ${id}`,
    failed,
    queue: "mail",
    actions: failed ? ["retry"] : [],
    asked: null,
    ...change,
  };
}

export const frame = (seq: number, text: string): FrameRow => ({
  seq,
  at: NOW,
  incoming: true,
  transport: "socket",
  text,
  bytes: text.length,
});

export const queue = (name: string, change: Partial<QueueRow> = {}): QueueRow => ({
  server: "demo-study-buddy",
  serverName: "Demo AI Study Buddy",
  name,
  paused: false,
  waiting: 3,
  active: 6,
  completed: 20,
  failed: 2,
  delayed: null,
  ...change,
});

export const preferences = (): Preferences => ({
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
    { ...blank(), name: "Jobs I watch", watched: true },
    { ...blank(), name: "Connections", kinds: ["lost", "back"] },
  ],
  sound: true,
  closeToTray: true,
  shortcut: "",
  toldOfTray: true,
});
