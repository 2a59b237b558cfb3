import type { LogTarget } from "../generated/LogTarget";
import { relative } from "../shared/format";

/** How times are shown beside the lines. */
export type TimeStyle = "absolute" | "relative" | "since" | "none";
export type Zone = "local" | "utc";

const formats = new Map<string, Intl.DateTimeFormat>();
function format(zone: Zone, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = zone + JSON.stringify(options);
  let found = formats.get(key);
  if (!found) {
    found = new Intl.DateTimeFormat("en-GB", {
      hourCycle: "h23",
      ...options,
      ...(zone === "utc" ? { timeZone: "UTC" } : {}),
    });
    formats.set(key, found);
  }
  return found;
}

const CLOCK = { hour: "2-digit", minute: "2-digit", second: "2-digit" } as const;
const DATE = { day: "numeric", month: "short", year: "numeric" } as const;
const valid = (at: number) => Math.abs(at) <= 8.64e15;

/** The last formatted second: neighbouring lines mostly share it. */
let last: { second: number; zone: Zone; text: string } | null = null;

/** `14:03:22`. */
export function clock(at: number, zone: Zone): string {
  if (!valid(at)) return "–";
  const second = Math.floor(at / 1000);
  if (last?.second !== second || last.zone !== zone)
    last = { second, zone, text: format(zone, CLOCK).format(at) };
  return last.text;
}

/** `14:03:22.041`. */
export function clockMs(at: number, zone: Zone): string {
  const ms = Math.floor(((at % 1000) + 1000) % 1000);
  return valid(at) ? `${clock(at, zone)}.${String(ms).padStart(3, "0")}` : "–";
}

/** A time on an axis from `span[0]` to `span[1]`, with its day if the span is long. */
export function onAxis(at: number, span: [number, number], zone: Zone): string {
  if (!valid(at)) return "–";
  return span[1] - span[0] < 20 * 3_600_000
    ? clock(at, zone)
    : format(zone, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" }).format(
        at,
      );
}

/** Date, time to the millisecond, and time zone. */
export function fullTime(at: number, zone: Zone): string {
  return valid(at)
    ? `${format(zone, DATE).format(at)}, ${clockMs(at, zone)} ${zone === "utc" ? "UTC" : "local time"}`
    : "";
}

/** Time since the start of the log: `+0.041`, `+1:02.500`, `+3:00:01.000`. */
export function since(at: number, start: number): string {
  const away = Math.abs(at - start);
  const whole = Math.floor(away / 1000);
  const two = (number: number) => String(number).padStart(2, "0");
  const [hours, minutes, seconds] = [
    Math.floor(whole / 3600),
    Math.floor(whole / 60) % 60,
    whole % 60,
  ];
  const clock =
    hours > 0
      ? `${hours}:${two(minutes)}:${two(seconds)}`
      : minutes > 0
        ? `${minutes}:${two(seconds)}`
        : `${seconds}`;
  return `${at < start ? "−" : "+"}${clock}.${String(Math.floor(away % 1000)).padStart(3, "0")}`;
}

/** A line's time in the chosen style. */
export function formatTime(
  at: number | null,
  style: TimeStyle,
  zone: Zone,
  now: number,
  start: number | null,
): string {
  if (at === null || style === "none") return "";
  if (style === "relative") return relative(at, now);
  if (style === "since" && start !== null) return since(at, start);
  return clockMs(at, zone);
}

/** Width of the time column, in characters. */
export function timeWidth(style: TimeStyle, span: [number, number] | null): number {
  if (style === "since" && span !== null) return Math.max(6, since(span[1], span[0]).length);
  return style === "relative" ? 9 : 12;
}

/** Destination of *Go to*: a position in the log, or a fraction of its rows. */
export type Goal =
  | { kind: "target"; target: LogTarget; text: string }
  | { kind: "part"; part: number; text: string };

/**
 * Parses the input of *Go to*: a line number, a percentage, a time of day, a date with a time, or a
 * duration from the end (`-5m`) or the start (`+90s`). Null if it is none of these.
 */
export function parseGoal(typed: string, span: [number, number] | null, zone: Zone): Goal | null {
  const text = typed.trim().toLowerCase();
  const share = /^(\d+(?:[.,]\d+)?)\s*%$/.exec(text);
  if (share) {
    const part = Math.min(100, Number((share[1] ?? "0").replace(",", ".")));
    return { kind: "part", part: part / 100, text: `${part} % of the way` };
  }
  const line = /^(?:line\s+|:|#)?(\d[\d,. _']*)$/.exec(text);
  if (line) {
    const number = Number((line[1] ?? "").replace(/\D/g, ""));
    return {
      kind: "target",
      target: { kind: "line", line: Math.max(1, number) },
      text: `Line ${number.toLocaleString("en-US")}`,
    };
  }
  const at = parseMoment(text, span, zone);
  return at === null
    ? null
    : { kind: "target", target: { kind: "time", at }, text: fullTime(at, zone) };
}

const UNITS: Record<string, number> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

function parseMoment(text: string, span: [number, number] | null, zone: Zone): number | null {
  const away = /^([+-−])\s*(\d+(?:\.\d+)?)\s*([smhd])\w*$/.exec(text);
  if (away) {
    if (span === null) return null;
    const length = Number(away[2]) * (UNITS[away[3] ?? "s"] ?? 0);
    return away[1] === "+" ? span[0] + length : span[1] - length;
  }
  const full =
    /^(?:(\d{4})-(\d{1,2})-(\d{1,2})[ t]+)?(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,3}))?)?(z)?$/.exec(
      text,
    );
  if (!full) return null;
  const [, year, month, date, hour, minute, second = "0", ms = "0", z] = full;
  const utc = zone === "utc" || z !== undefined;
  const clock = [Number(hour), Number(minute), Number(second), Number(ms.padEnd(3, "0"))] as const;
  if (clock[0] > 23 || clock[1] > 59 || clock[2] > 59) return null;
  const on = (year: number, month: number, date: number) =>
    utc ? Date.UTC(year, month, date, ...clock) : new Date(year, month, date, ...clock).getTime();
  if (year !== undefined) return on(Number(year), Number(month) - 1, Number(date));
  if (span === null) return null;
  // A time of day means the log's last day, or the day before if the log ends earlier than that.
  const end = new Date(span[1]);
  const [y, m, d] = utc
    ? [end.getUTCFullYear(), end.getUTCMonth(), end.getUTCDate()]
    : [end.getFullYear(), end.getMonth(), end.getDate()];
  const today = on(y, m, d);
  return today > span[1] && on(y, m, d - 1) >= span[0] ? on(y, m, d - 1) : today;
}
