import type { Level } from "../generated/Level";
import type { LogFind } from "../generated/LogFind";
import type { LogRow } from "../generated/LogRow";
import type { LogState } from "../generated/LogState";
import type { LogTarget } from "../generated/LogTarget";
import { NOW } from "./fixtures";

/** A recorded answer about a log: its rows, by index, and everything besides them. */
export interface LogAnswer {
  total: number;
  row: (index: number) => LogRow;
  state: LogState;
  /** Where something is: a row, or null for nowhere. */
  seek: (target: LogTarget) => number | null;
}

export const START = NOW - 3_600_000;
/** Milliseconds between two lines of a recorded log. */
export const STEP = 100;

export function line(index: number, text: string, change: Partial<LogRow> = {}): LogRow {
  return {
    id: `line ${index}`,
    job: 0,
    line: index + 1,
    at: START + index * STEP,
    level: "info",
    origin: null,
    spans: [{ text }],
    more: 0,
    below: 0,
    folded: 0,
    continued: false,
    matched: false,
    fields: [],
    gap: null,
    ...change,
  };
}

/** An answer with rows that are made when they are asked for, so that there can be any number. */
export function answer(
  total: number,
  row: (index: number) => LogRow,
  state: Partial<LogState> = {},
  seek?: LogAnswer["seek"],
): LogAnswer {
  return {
    total,
    row,
    seek:
      seek ??
      ((target) => {
        if (target.kind === "line") return Math.min(total, target.line) - 1;
        return target.kind === "time" ? Math.ceil((target.at - START) / STEP) : null;
      }),
    state: {
      known: true,
      lines: total,
      levels: [0, 0, 0, total, 0, 0, 0],
      matches: 0,
      problem: null,
      end: [total + 1],
      searched: 1,
      dropped: 0,
      span: total === 0 ? null : [START, START + (total - 1) * STEP],
      earlier: "never",
      cut: null,
      none: null,
      ...state,
    },
  };
}

/** A log of numbered lines. */
export const numbered = (total: number, state: Partial<LogState> = {}): LogAnswer =>
  answer(total, (index) => line(index, `processed a batch (${index + 1})`), state);

/** An answer with just these rows. */
export const listed = (rows: LogRow[], state: Partial<LogState> = {}, seek?: LogAnswer["seek"]) =>
  answer(rows.length, (index) => rows[index]!, state, seek);

/** A recorded line with what is found in it marked. */
export function marked(row: LogRow, { text }: LogFind): LogRow {
  const [before = "", ...after] = row.spans
    .map((span) => span.text)
    .join("")
    .split(text);
  const spans = [{ text: before }, { text, mark: true }, { text: after.join(text) }];
  return after.length === 0 ? row : { ...row, matched: true, spans };
}

/** The lines of a build, with everything that is hard to show. */
export function build(): LogRow[] {
  const rows: LogRow[] = [];
  const add = (text: string, level: Level | null, change: Partial<LogRow> = {}) =>
    rows.push(line(rows.length, text, { level, origin: "build", ...change }));
  add("Building jobwatch, see https://example.com/builds/77.", "info");
  for (let round = 0; round < 24; round += 1) {
    add(`Compiling serde v1.0.${200 + round}`, null);
    add("request handled", "info", { fields: [["path", `/v1/jobs/${4200 + round}`]] });
    if (round % 3 === 1) add(`warning: unused variable: rows in jobs.rs:${round}`, "warn");
    if (round % 6 === 2) add("TypeError: Cannot read properties", "error", { folded: 4 });
    if (round % 9 === 4) add('query failed: relation "jobs" does not exist', "error", { below: 3 });
  }
  const from = START + rows.length * STEP;
  const gap = { beginning: false, from, to: from + 57_000, fetchable: true, fetching: false };
  add("", null, { at: null, gap });
  add("control characters \u0007 and \u202etxt.exe\u202c are made visible", "info");
  add("out of memory, see <https://example.com/runbook?id=oom&x=1>", "fatal");
  return rows;
}
