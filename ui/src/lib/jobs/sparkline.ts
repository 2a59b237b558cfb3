/**
 * A series as SVG paths in a box, time from left to right; the lowest and highest values touch the
 * inner edges. Null where there is nothing to draw.
 */
export function sparkline(points: [number, number][], width: number, height: number): { line: string; area: string } | null {
  const usable = points.filter(([at, value]) => Number.isFinite(at) && Number.isFinite(value));
  const [head] = usable;
  const tail = usable.at(-1);
  if (!head || !tail) return null;
  const values = usable.map(([, value]) => value);
  const least = Math.min(...values);
  const spread = Math.max(...values) - least;
  const span = tail[0] - head[0];
  const margin = 2;
  const x = (at: number) => (span === 0 ? width : ((at - head[0]) / span) * width);
  const y = (value: number) => (spread === 0 ? height / 2 : height - margin - ((value - least) / spread) * (height - 2 * margin));
  const round = (number: number) => Math.round(number * 10) / 10;
  const path = usable.map(([at, value]) => `${round(x(at))},${round(y(value))}`);
  // One value is a level line: it holds for as long as nothing else was said.
  if (path.length === 1 || span === 0) path.unshift(`0,${round(y(tail[1]))}`);
  return { line: `M${path.join("L")}`, area: `M0,${height}L${path.join("L")}L${width},${height}Z` };
}
