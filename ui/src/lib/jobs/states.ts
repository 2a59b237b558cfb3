import Ban from "@lucide/svelte/icons/ban";
import CircleCheck from "@lucide/svelte/icons/circle-check";
import CircleDashed from "@lucide/svelte/icons/circle-dashed";
import CircleHelp from "@lucide/svelte/icons/circle-question-mark";
import CirclePlay from "@lucide/svelte/icons/circle-play";
import Clock from "@lucide/svelte/icons/clock";
import OctagonX from "@lucide/svelte/icons/octagon-x";

import type { JobRow } from "../generated/JobRow";
import type { StateKind } from "../generated/StateKind";
import type { StateView } from "../generated/StateView";
import { duration, relative } from "../shared/format";
import { sanitize } from "../shared/sanitize";

/** Label, tone and icon of a state. */
export interface StateStyle {
  word: string;
  tone: "good" | "bad" | "info" | "plain" | "faint" | "warn";
  icon: typeof Clock;
}

export const STATES: Record<StateKind, StateStyle> = {
  queued: { word: "Queued", tone: "plain", icon: CircleDashed },
  scheduled: { word: "Scheduled", tone: "plain", icon: Clock },
  running: { word: "Running", tone: "info", icon: CirclePlay },
  completed: { word: "Completed", tone: "good", icon: CircleCheck },
  failed: { word: "Failed", tone: "bad", icon: OctagonX },
  cancelled: { word: "Cancelled", tone: "faint", icon: Ban },
  unknown: { word: "Unknown", tone: "warn", icon: CircleHelp },
};

export const STATE_ORDER: StateKind[] = [
  "running",
  "queued",
  "scheduled",
  "completed",
  "failed",
  "cancelled",
  "unknown",
];

/** Messages for states of ended jobs with an unknown outcome. */
const LOST = new Map([
  ["gone", "The server no longer lists this job. Its outcome is unknown."],
  ["ended", "The job has ended. The server does not report its outcome."],
]);

/** The state's label, or the server's own word for an unknown state. */
export function stateLabel(state: StateView): string {
  return state.kind === "unknown" && state.name && lostMessage(state) === null
    ? sanitize(state.name)
    : STATES[state.kind].word;
}

/** Explains an unknown outcome; null for other states. */
export function lostMessage(state: StateView): string | null {
  return state.kind === "unknown" ? (LOST.get(state.name ?? "") ?? null) : null;
}

/** Whether the job has ended, with a known outcome or not. */
export function isOver(state: StateView): boolean {
  return isTerminal(state.kind) || lostMessage(state) !== null;
}

/** `Attempt 2 of 3`. A manual retry may exceed the maximum, which is left out then. */
export function attemptLabel(attempt: number, most: number | null): string {
  return `Attempt ${attempt}${most === null || attempt > most ? "" : ` of ${most}`}`;
}

/** Whether the job has ended with a known outcome. */
export function isTerminal(kind: StateKind): boolean {
  return kind === "completed" || kind === "failed" || kind === "cancelled";
}

/** How long something took or how long ago it was, as text, and since when. */
export interface Age {
  text: string;
  hint: string;
  at: number | null;
  /** The same with a verb: `Took 4 m`, `Ended 7 d ago`. */
  fact: string;
}

/** How long a job took, has been running or has been waiting. */
export function age(row: JobRow, now: number): Age {
  const { createdAt, startedAt, finishedAt, state } = row;
  const made = (hint: string, text: string, at: number, fact = `${hint} ${text}`): Age => ({
    text,
    hint,
    at,
    fact,
  });
  if (isOver(state)) {
    if (
      isTerminal(state.kind) &&
      startedAt !== null &&
      finishedAt !== null &&
      finishedAt >= startedAt
    )
      return made("Took", duration(finishedAt - startedAt), finishedAt);
    if (finishedAt !== null) return made("Ended", relative(finishedAt, now), finishedAt);
    return made("Last update", relative(row.heardAt, now), row.heardAt);
  }
  // Tick in whole seconds, and never below zero if the server's clock is ahead of ours.
  const ticking = (since: number) => duration(Math.max(0, Math.floor((now - since) / 1000) * 1000));
  if (state.kind === "running" && startedAt !== null)
    return made("Started", ticking(startedAt), startedAt, `Running for ${ticking(startedAt)}`);
  const since = createdAt ?? startedAt;
  if (since === null) return { text: "–", hint: "", at: null, fact: "" };
  const waits = state.kind === "queued" || state.kind === "scheduled";
  return made(
    "Created",
    ticking(since),
    since,
    waits ? `Waiting for ${ticking(since)}` : `Created ${relative(since, now)}`,
  );
}

/** Labels of a row's time column: duration, and how long ago the job ended. */
export interface TimeLabels {
  /** `ran 32 s`, `for 32 s`, `waiting 32 s`; empty if unknown. */
  length: string;
  /** `5 m ago`, `updated 5 m ago`; empty while the job has not ended. */
  when: string;
}

export function timeLabels(row: JobRow, now: number): TimeLabels {
  const { finishedAt, state } = row;
  const { hint, text, fact } = age(row, now);
  if (isOver(state)) {
    const ended =
      finishedAt === null ? `updated ${relative(row.heardAt, now)}` : relative(finishedAt, now);
    return { length: hint === "Took" ? `ran ${text}` : "", when: ended };
  }
  if (hint === "Started") return { length: `for ${text}`, when: "" };
  if (hint !== "Created") return { length: "", when: "" };
  return state.kind === "queued" || state.kind === "scheduled"
    ? { length: `waiting ${text}`, when: "" }
    : { length: "", when: fact.replace("Created", "created") };
}

/** A row's accessible name: job, state, server, age and error. */
export function rowLabel(row: JobRow, now: number): string {
  const { hint, fact } = age(row, now);
  const lowered = fact.charAt(0).toLowerCase() + fact.slice(1);
  const ended =
    hint === "Took" && row.finishedAt !== null ? `ended ${relative(row.finishedAt, now)}` : "";
  const error = row.state.kind === "failed" && row.text !== null ? sanitize(row.text) : "";
  const about = row.about === null ? "" : sanitize(row.about);
  return [
    sanitize(row.name),
    stateLabel(row.state),
    about,
    `on ${sanitize(row.serverName)}`,
    lowered,
    ended,
    error,
  ]
    .filter(Boolean)
    .join(", ");
}

/** Progress within 0 to 100, or null. */
export function percent(progress: number | null): number | null {
  return progress === null || !Number.isFinite(progress)
    ? null
    : Math.min(100, Math.max(0, progress));
}

/** `45 %`, with a decimal below one percent. */
export function percentLabel(value: number): string {
  return `${value > 0 && value < 1 ? value.toFixed(1) : Math.floor(value)} %`;
}

export const jobKey = (row: { server: string; id: string }): string => `${row.server}/${row.id}`;
