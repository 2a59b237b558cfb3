import type { Snippet } from "svelte";

import type { JobRow } from "../generated/JobRow";
import type { JobSort } from "../generated/JobSort";
import { isStringArray, Persisted } from "../shared/persisted.svelte";
import { jobCell, muteCell, progressCell, stateCell, timeCell } from "./cells.svelte";

/** What a cell is drawn from. */
export interface Cell {
  job: JobRow;
  /** The time on the server's clock, stopped where the row is out of date. */
  now: number;
  /** Whether the row may be out of date. */
  stale: boolean;
  /** Whether the list mixes servers. */
  showServer: boolean;
  /** Whether the list mixes states. */
  showState: boolean;
}

/** Everything the page knows about a column of the job list. */
export interface Column {
  id: string;
  /** Heading in the list, the settings and the help. */
  title: string;
  /** What the column shows, for the help. */
  help: string;
  /** The fields of a job that `--json` prints for it. */
  json: readonly string[];
  /** Grid tracks of a wide, a medium (up to 640 px) and a narrow list (up to 460 px); null: none. */
  tracks: readonly [string, string, string | null];
  /** Draws the cell, or gives its text. */
  cell: Snippet<[Cell]> | { text: (cell: Cell) => string };
  /** Whether a job has nothing to show here, so that the column before uses the room. */
  empty?: (job: JobRow) => boolean;
  /** Orders of the list that belong to this column, with their labels. */
  sorts?: readonly (readonly [JobSort, string])[];
  /** Whether it cannot be hidden. */
  fixed?: boolean;
  align?: "end";
}

export const COLUMNS: readonly Column[] = [
  {
    id: "state",
    title: "State",
    help: "The icon and colour of the job’s state",
    json: ["state"],
    tracks: ["var(--icon-m)", "var(--icon-m)", "var(--icon-m)"],
    cell: stateCell,
    sorts: [["activity", "Latest activity"]],
    fixed: true,
  },
  {
    id: "job",
    title: "Job",
    help: "Name, attempt, ID, server, queue, and the last message or error",
    json: ["name", "id", "server", "queue", "attempt", "max_attempts", "message", "error"],
    tracks: ["minmax(0, 1fr)", "minmax(0, 1fr)", "minmax(0, 1fr)"],
    cell: jobCell,
    sorts: [["name", "Name"]],
    fixed: true,
  },
  {
    id: "progress",
    title: "Progress",
    help: "Percentage and stage of a running job",
    json: ["progress", "detail"],
    tracks: ["132px", "92px", null],
    cell: progressCell,
    empty: ({ state, progress, stage }) =>
      state.kind !== "running" || (progress === null && stage === null),
  },
  {
    id: "mute",
    title: "",
    help: "",
    json: [],
    tracks: ["var(--mute)", "var(--mute)", null],
    cell: muteCell,
    fixed: true,
  },
  {
    id: "time",
    title: "Time",
    help: "How long the job ran or has been running, and when it ended",
    json: ["created_at", "started_at", "finished_at"],
    tracks: ["116px", "104px", "max-content"],
    cell: timeCell,
    sorts: [
      ["created", "Newest"],
      ["duration", "Longest"],
    ],
    align: "end",
  },
];

/** All orders of the list, with their labels. */
export const SORTS = COLUMNS.flatMap(({ sorts = [] }) => sorts);

/** The columns that the user left visible, kept in the window's local storage. */
export class ColumnSettings {
  readonly #hidden = new Persisted<string[]>("hiddenColumns", [], isStringArray);

  get visible(): Column[] {
    return COLUMNS.filter(({ id, fixed }) => fixed || !this.#hidden.current.includes(id));
  }

  show(id: string, shown: boolean): void {
    const others = this.#hidden.current.filter((hidden) => hidden !== id);
    this.#hidden.current = shown ? others : [...others, id];
  }
}

/** CSS variables with the grid tracks for each width of the list. */
export function tracks(columns: readonly Column[]): string {
  return ["wide", "medium", "narrow"]
    .map((width, at) => {
      const all = columns.map((column) => column.tracks[at]).filter((track) => track !== null);
      return `--tracks-${width}: ${all.join(" ")}`;
    })
    .join("; ");
}

/** The columns that a job fills, each with the number of tracks it spans. */
export function spans(columns: readonly Column[], job: JobRow): { column: Column; span: number }[] {
  const filled: { column: Column; span: number }[] = [];
  for (const column of columns) {
    const before = filled.at(-1);
    if (before && column.empty?.(job)) before.span += 1;
    else filled.push({ column, span: 1 });
  }
  return filled;
}
