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
import { visible } from "../shared/visible";

/** How a state is said and drawn. */
export interface StateLook {
  word: string;
  tone: "good" | "bad" | "info" | "plain" | "faint" | "warn";
  icon: typeof Clock;
}

export const STATES: Record<StateKind, StateLook> = {
  queued: { word: "Queued", tone: "plain", icon: CircleDashed },
  scheduled: { word: "Scheduled", tone: "plain", icon: Clock },
  running: { word: "Running", tone: "info", icon: CirclePlay },
  completed: { word: "Completed", tone: "good", icon: CircleCheck },
  failed: { word: "Failed", tone: "bad", icon: OctagonX },
  cancelled: { word: "Cancelled", tone: "faint", icon: Ban },
  unknown: { word: "Unknown", tone: "warn", icon: CircleHelp },
};

export const STATE_ORDER: StateKind[] = ["running", "queued", "scheduled", "completed", "failed", "cancelled", "unknown"];

/** The state's word, or the server's own where there is none. */
export function stateWord(state: StateView): string {
  return state.kind === "unknown" && state.name ? visible(state.name) : STATES[state.kind].word;
}

/** Whether nothing more is expected of the job. */
export function isTerminal(kind: StateKind): boolean {
  return kind === "completed" || kind === "failed" || kind === "cancelled";
}

/** A time of a job in words, the moment it counts from, and whether it ticks. */
export interface Age {
  text: string;
  hint: string;
  at: number | null;
}

/** How long it took, how long it has run, or how long it waits. */
export function age(row: JobRow, now: number): Age {
  const { createdAt, startedAt, finishedAt, state } = row;
  if (isTerminal(state.kind)) {
    if (startedAt !== null && finishedAt !== null) return { text: duration(finishedAt - startedAt), hint: "Took", at: finishedAt };
    if (finishedAt !== null) return { text: relative(finishedAt, now), hint: "Ended", at: finishedAt };
    return { text: relative(row.heardAt, now), hint: "Last heard", at: row.heardAt };
  }
  // Ticks by whole seconds; a server's clock ahead of ours is no negative age.
  const ticking = (since: number) => duration(Math.max(0, Math.floor((now - since) / 1000) * 1000));
  if (state.kind === "running" && startedAt !== null) return { text: ticking(startedAt), hint: "Started", at: startedAt };
  const since = createdAt ?? startedAt;
  if (since !== null) return { text: ticking(since), hint: "Created", at: since };
  return { text: "–", hint: "", at: null };
}

/** Progress within 0 to 100, or null. */
export function percent(progress: number | null): number | null {
  return progress === null || !Number.isFinite(progress) ? null : Math.min(100, Math.max(0, progress));
}

export const jobKey = (row: { server: string; id: string }): string => `${row.server}/${row.id}`;
