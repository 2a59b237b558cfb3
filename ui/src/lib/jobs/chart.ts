/** A value of a series and its position in the plot. */
export interface PlotPoint {
  at: number;
  value: number;
  x: number;
  y: number;
}

/** A series laid out in a box, time from left to right. */
export interface Plot {
  points: PlotPoint[];
  line: string;
  area: string;
  /** The lowest and the highest number of the axis. */
  least: number;
  most: number;
  from: number;
  to: number;
  y: (value: number) => number;
  /** Index of the value nearest to this x position. */
  nearest: (x: number) => number;
}

/** Space above the highest value, so that its label fits. */
const TOP = 8;

/** Lays out a series, ignoring what is not a number; null if nothing remains. */
export function plot(series: [number, number][], width: number, height: number): Plot | null {
  const usable = series
    .filter(([at, value]) => Number.isFinite(at) && Number.isFinite(value))
    .sort(([one], [other]) => one - other);
  const [head] = usable;
  const tail = usable.at(-1);
  if (!head || !tail) return null;
  const values = usable.map(([, value]) => value);
  const steps = ticks(Math.min(...values), Math.max(...values));
  const least = Math.min(steps[0] ?? 0, ...values);
  const most = Math.max(steps.at(-1) ?? 1, ...values);
  const span = tail[0] - head[0];
  const x = (at: number) => (span === 0 ? width : ((at - head[0]) / span) * width);
  const y = (value: number) =>
    most === least ? height / 2 : height - ((value - least) / (most - least)) * (height - TOP);
  const points = usable.map(([at, value]) => ({ at, value, x: x(at), y: y(value) }));
  const round = (number: number) => Math.round(number * 10) / 10;
  const path = points.map((point) => `${round(point.x)},${round(point.y)}`);
  // Draw a single value as a level line.
  if (span === 0) path.unshift(`0,${round(y(tail[1]))}`);
  const nearest = (to: number) => {
    let best = 0;
    points.forEach((point, index) => {
      if (Math.abs(point.x - to) < Math.abs((points[best]?.x ?? 0) - to)) best = index;
    });
    return best;
  };
  return {
    points,
    line: `M${path.join("L")}`,
    area: `M0,${height}L${path.join("L")}L${round(width)},${height}Z`,
    least,
    most,
    from: head[0],
    to: tail[0],
    y,
    nearest,
  };
}

/** Three to six round numbers that enclose a range. */
export function ticks(least: number, most: number): number[] {
  // A range below floating point precision is no range.
  const size = Math.max(Math.abs(least), Math.abs(most));
  if (most - least < size * 1e-9) most = least;
  const spread = most - least || size || 1;
  const rough = spread / 3;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 2.5, 5, 10].find((factor) => factor * power >= rough) ?? 10) * power;
  const first = Math.floor(least / step);
  const last = most === least ? first + 1 : Math.ceil(most / step);
  // Multiply instead of adding up, which would accumulate rounding errors.
  const steps = Math.min(last - first, 12);
  const found = Array.from({ length: steps + 1 }, (_, index) =>
    Number(((first + index) * step).toPrecision(12)),
  );
  return [...new Set(found)];
}
