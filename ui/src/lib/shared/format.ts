const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** A duration in its two largest units: `0.4 s`, `12 s`, `4 m 12 s`, `2 h 5 m`, `3 d 4 h`. */
export function duration(ms: number): string {
  if (!Number.isFinite(ms)) return "–";
  const length = Math.max(0, ms);
  if (length < SECOND) return length < 50 ? "0 s" : `${(length / SECOND).toFixed(1)} s`;
  const pair = (big: number, bigUnit: string, small: number, smallUnit: string) => {
    const whole = Math.floor(length / big);
    const rest = Math.floor((length - whole * big) / small);
    return rest > 0 ? `${whole} ${bigUnit} ${rest} ${smallUnit}` : `${whole} ${bigUnit}`;
  };
  if (length < MINUTE) return `${Math.floor(length / SECOND)} s`;
  if (length < HOUR) return pair(MINUTE, "m", SECOND, "s");
  if (length < DAY) return pair(HOUR, "h", MINUTE, "m");
  return pair(DAY, "d", HOUR, "h");
}

/** How far `at` is from `now`, in one unit: `now`, `12 s ago`, `in 3 h`. */
export function relative(at: number, now: number): string {
  const away = Math.abs(now - at);
  if (away < 2 * SECOND) return "now";
  const length =
    away < MINUTE
      ? `${Math.floor(away / SECOND)} s`
      : away < HOUR
        ? `${Math.floor(away / MINUTE)} m`
        : away < DAY
          ? `${Math.floor(away / HOUR)} h`
          : `${Math.floor(away / DAY)} d`;
  return at > now ? `in ${length}` : `${length} ago`;
}

const EXACT = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium" });
const CLOCK = new Intl.DateTimeFormat("en-GB", {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hourCycle: "h23",
});
const SHORT = new Intl.DateTimeFormat("en-GB", {
  hour: "2-digit",
  minute: "2-digit",
  hourCycle: "h23",
});
const DATE = new Intl.DateTimeFormat("en-GB", { weekday: "short", day: "numeric", month: "short" });
const DATE_YEAR = new Intl.DateTimeFormat("en-GB", {
  day: "numeric",
  month: "short",
  year: "numeric",
});

/** Date and time for a tooltip. */
export function exact(at: number | null | undefined): string {
  return at === null || at === undefined || !valid(at) ? "" : EXACT.format(at);
}

/** `14:03:22`. */
export function clock(at: number): string {
  return valid(at) ? CLOCK.format(at) : "–";
}

/** `14:03:22.041`. */
export function clockMs(at: number): string {
  return valid(at)
    ? `${CLOCK.format(at)}.${String(((at % 1000) + 1000) % 1000).padStart(3, "0")}`
    : "–";
}

/** `14:03`. */
export function shortClock(at: number): string {
  return valid(at) ? SHORT.format(at) : "–";
}

/** `Today`, `Yesterday`, `Wed, 18 Nov` or, in another year, `18 Nov 2025`. */
export function day(at: number, now: number): string {
  if (!valid(at)) return "–";
  const start = (time: number) => new Date(time).setHours(0, 0, 0, 0);
  const days = Math.round((start(now) - start(at)) / DAY);
  if (days === 0) return "Today";
  if (days === 1) return "Yesterday";
  return new Date(at).getFullYear() === new Date(now).getFullYear()
    ? DATE.format(at)
    : DATE_YEAR.format(at);
}

/** `1 job`, `12,400 jobs`. */
export function count(number: number, one: string, many = `${one}s`): string {
  return `${grouped(number)} ${number === 1 ? one : many}`;
}

const GROUPED = new Intl.NumberFormat("en-US");

/** `12,400`. */
export function grouped(number: number): string {
  return GROUPED.format(number);
}

/** A number that fits a badge: `999`, `12k`, `3M`. */
export function compact(number: number): string {
  if (number < 10_000) return grouped(number);
  if (number < 1_000_000) return `${Math.floor(number / 1000)}k`;
  return `${Math.floor(number / 1_000_000)}M`;
}

/** A size: `812 B`, `4.2 kB`, `1.3 MB`. */
export function bytes(size: number): string {
  if (size < 1000) return `${size} B`;
  if (size < 1_000_000) return `${(size / 1000).toFixed(1)} kB`;
  return `${(size / 1_000_000).toFixed(1)} MB`;
}

/** A measured value with few digits. */
export function measure(value: number): string {
  if (!Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  if (size >= 1_000_000) return `${(value / 1_000_000).toFixed(1)}M`;
  if (size >= 10_000) return `${(value / 1000).toFixed(1)}k`;
  if (Number.isInteger(value)) return grouped(value);
  return size >= 100 ? value.toFixed(0) : size >= 1 ? value.toFixed(1) : value.toPrecision(2);
}

function valid(at: number): boolean {
  return Math.abs(at) <= 8.64e15;
}
