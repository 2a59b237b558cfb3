/**
 * Returns `next` with unchanged parts replaced by those of `previous`, so that they keep their
 * identity and are not drawn again. Rows are matched by key, not by position.
 */
export function shareStructure<T>(previous: unknown, next: T): T {
  if (Object.is(previous, next)) return next;
  if (
    typeof previous !== "object" ||
    typeof next !== "object" ||
    previous === null ||
    next === null
  )
    return next;
  if (Array.isArray(next))
    return Array.isArray(previous) ? (shareArray(previous, next) as T) : next;
  if (Array.isArray(previous)) return next;
  const before = previous as Record<string, unknown>;
  const after = next as Record<string, unknown>;
  const names = Object.keys(after);
  let same = names.length === Object.keys(before).length;
  const shared: Record<string, unknown> = {};
  for (const name of names) {
    shared[name] = shareStructure(before[name], after[name]);
    if (!(name in before) || !Object.is(shared[name], before[name])) same = false;
  }
  return (same ? previous : shared) as T;
}

function shareArray(previous: unknown[], next: unknown[]): unknown[] {
  const byKey = new Map<string, unknown>();
  for (const item of previous) {
    const key = rowKey(item);
    if (key !== null) byKey.set(key, item);
  }
  let same = previous.length === next.length;
  const shared = next.map((item, index) => {
    const key = rowKey(item);
    const result = shareStructure(key === null ? previous[index] : byKey.get(key), item);
    if (!Object.is(result, previous[index])) same = false;
    return result;
  });
  return same ? previous : shared;
}

/** The key that identifies a row across windows, or null where only its position does. */
export function rowKey(row: unknown): string | null {
  if (typeof row !== "object" || row === null || Array.isArray(row)) return null;
  const { server, id, seq, name } = row as {
    server?: unknown;
    id?: unknown;
    seq?: unknown;
    name?: unknown;
  };
  if (seq !== undefined) return `#${String(seq)}`;
  if (id !== undefined) return `${String(server)}/${String(id)}`;
  if (server !== undefined && name !== undefined) return `${String(server)}/${String(name)}`;
  return null;
}
