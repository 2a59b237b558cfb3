import type { LogFormat } from "../generated/LogFormat";
import { count, grouped } from "../shared/format";
import type { Log } from "./log.svelte";
import { range } from "./selection";

/** Maximum number of rows copied at once. */
const MOST_COPIED = 100_000;

/** Selects all rows in the marked time range. */
export async function selectMarked(log: Log): Promise<void> {
  const { id } = log.view;
  if (log.marked === null || id === null) return;
  const [from, to] = log.marked;
  await log.app.run(async () => {
    const first = await log.app.backend.logSeek(id, { kind: "time", at: from }, 0);
    const beyond = await log.app.backend.logSeek(id, { kind: "time", at: to + 1 }, 0);
    if (first === null || log.view.id !== id) return;
    const last = Math.max(first.place.row, (beyond?.place.row ?? log.total) - 1);
    log.letGo();
    log.selection = { anchor: last, head: first.place.row };
    log.viewport?.toRow(first.place.row, 0);
  });
}

/** Copies the selected rows, loaded or not. */
export async function copy(log: Log, format: LogFormat): Promise<void> {
  const { id } = log.view;
  const rows = range(log.selection);
  if (rows === null || id === null) {
    log.app.toast("Select lines first: click one, then Shift-click another.");
    return;
  }
  await log.app.run(async () => {
    const many = Math.min(rows.count, MOST_COPIED);
    await navigator.clipboard.writeText(
      await log.app.backend.logCopy(id, rows.first, many, format),
    );
    log.app.toast(
      many < rows.count
        ? `Copied the first ${grouped(many)} of ${count(rows.count, "line")}. Save the log to get all of them.`
        : `${count(many, "line")} copied.`,
    );
  });
}
