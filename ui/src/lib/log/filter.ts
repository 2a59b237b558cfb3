import type { LogFilter } from "../generated/LogFilter";
import type { LogLevel } from "../generated/LogLevel";
import type { LogFind } from "../generated/LogFind";
import { count } from "../shared/format";
import { sanitize } from "../shared/sanitize";

/** Levels in the order of `LogState.levels`: filter value and label. */
export const LEVELS = [
  ["none", "No level"],
  ["trace", "Trace"],
  ["debug", "Debug"],
  ["info", "Info"],
  ["warn", "Warning"],
  ["error", "Error"],
  ["fatal", "Fatal"],
] as const;

/** A filter that lets every line through. */
export function unfiltered(fold: boolean, fields = true): LogFilter {
  return {
    find: null,
    onlyMatching: false,
    context: 0,
    include: [],
    exclude: [],
    levels: [],
    fold,
    raw: !fields,
    cleared: [],
  };
}

export function literal(text = ""): LogFind {
  return { text, regex: false, case: false, word: false };
}

/** Whether a chip keeps matching lines or removes them. */
export type Side = "include" | "exclude";

export function sameFind(one: LogFind, other: LogFind): boolean {
  return (
    one.text === other.text &&
    one.regex === other.regex &&
    one.case === other.case &&
    one.word === other.word
  );
}

/** `filter` with the chip added, or replacing the one at `index`. Duplicates are dropped. */
export function withChip(
  filter: LogFilter,
  side: Side,
  chip: LogFind,
  index: number | null = null,
): LogFilter {
  const others = filter[side].filter((known, at) => at === index || !sameFind(known, chip));
  const place = index === null ? -1 : others.indexOf(filter[side][index] as LogFind);
  const chips = place < 0 ? [...others, chip] : others.with(place, chip);
  return { ...filter, [side]: chips };
}

export function withoutChip(filter: LogFilter, side: Side, index: number): LogFilter {
  return { ...filter, [side]: filter[side].toSpliced(index, 1) };
}

/** Adds or removes a level. All levels are the same as none. */
export function toggleLevel(filter: LogFilter, level: LogLevel): LogFilter {
  const levels = filter.levels.includes(level)
    ? filter.levels.filter((known) => known !== level)
    : [...filter.levels, level];
  const ordered = LEVELS.map(([word]) => word).filter((word) => levels.includes(word));
  return { ...filter, levels: ordered.length === LEVELS.length ? [] : ordered };
}

/** Whether the filter hides lines, apart from cleared ones. */
export function narrows(filter: LogFilter): boolean {
  return (
    filter.levels.length > 0 ||
    filter.include.length > 0 ||
    filter.exclude.length > 0 ||
    onlyMatching(filter)
  );
}

/** Whether only lines that match `find` are shown. */
export function onlyMatching(filter: LogFilter): boolean {
  return filter.onlyMatching && filter.find !== null;
}

/** Removes all filters. Matches stay highlighted and cleared lines stay hidden. */
export function widened(filter: LogFilter): LogFilter {
  return { ...filter, levels: [], include: [], exclude: [], onlyMatching: false };
}

/** A chip's label. */
export function chipLabel(find: LogFind): string {
  return find.regex ? `/${sanitize(find.text)}/` : `“${sanitize(find.text)}”`;
}

/** Describes the filter in a sentence; empty where nothing is filtered. */
export function summary(filter: LogFilter): string {
  const parts: string[] = [];
  if (filter.levels.length > 0) {
    const words = LEVELS.filter(([word]) => filter.levels.includes(word)).map(([, label]) =>
      label.toLowerCase(),
    );
    parts.push(`level ${words.join(" or ")}`);
  }
  if (filter.include.length > 0) parts.push(`with ${filter.include.map(chipLabel).join(" and ")}`);
  if (filter.exclude.length > 0)
    parts.push(`without ${filter.exclude.map(chipLabel).join(" or ")}`);
  if (filter.find !== null && filter.onlyMatching) {
    parts.push(
      `matching ${chipLabel(filter.find)}${filter.context > 0 ? ` and ${count(filter.context, "line")} around` : ""}`,
    );
  }
  return parts.length === 0 ? "" : `Only lines: ${parts.join(", ")}`;
}

/** The cleared line numbers after the jobs of the view have changed. */
export function clearedFor(
  cleared: number[],
  before: readonly string[],
  after: readonly string[],
): number[] {
  if (cleared.length === 0) return [];
  const next = after.map((key) => cleared[before.indexOf(key)] ?? 0);
  return next.some((line) => line > 0) ? next : [];
}

/** `3 of 1,204`, with the progress while a search runs. */
export function found(nth: number | null, matches: number, searched: number): string {
  const some =
    matches === 0
      ? "No match"
      : nth === null
        ? count(matches, "match", "matches")
        : `${grouped(nth)} of ${grouped(matches)}`;
  if (searched >= 1) return some;
  return matches === 0
    ? `Searching, ${percent(searched)}`
    : `${some}, ${percent(searched)} searched`;
}

const grouped = (number: number) => number.toLocaleString("en-US");
const percent = (share: number) => `${Math.floor(share * 100)} %`;
