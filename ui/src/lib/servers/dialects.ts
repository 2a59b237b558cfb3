import { DIALECTS, type Dialect, type DialectOption } from "../generated/dialects";
import { SECRET_NAMES } from "../generated/secretNames";

export { DIALECTS, type Dialect };

/** Settings that every kind of server has. */
export const COMMON_OPTIONS: readonly DialectOption[] = [
  { name: "log_megabytes", label: "Log budget, MB", hint: "Defaults to the settings" },
  {
    name: "log_days",
    label: "Days logs are kept",
    hint: "Defaults to the settings; 0 = keep forever",
  },
];

export const dialect = (word: string): Dialect | undefined =>
  DIALECTS.find((dialect) => dialect.word === word);

/** A URL as people paste it, completed: without a scheme it is a WebSocket on that host. */
export function completed(pasted: string): string {
  const text = pasted.trim();
  if (text === "" || /^[a-z][a-z0-9+.-]*:\/\//i.test(text)) return text;
  return `${/^(localhost|127\.|\[::1\])/.test(text) ? "ws" : "wss"}://${text}`;
}

/** Which dialect a URL looks like by its path, its port or its host, or null. */
export function guess(pasted: string): string | null {
  const text = completed(pasted);
  if (!URL.canParse(text)) return null;
  const { hostname, port, pathname } = new URL(text);
  const begins = (path: string) => pathname === path || pathname.startsWith(`${path}/`);
  const byPath = DIALECTS.flatMap(({ word, paths }) => paths.map((path) => ({ word, path })))
    .filter(({ path }) => begins(path))
    .sort((one, other) => other.path.length - one.path.length)[0];
  const found =
    byPath ??
    DIALECTS.find(({ ports }) => ports.some((usual) => String(usual) === port)) ??
    (begins("/socket.io") ? DIALECTS.find(({ socketIo }) => socketIo) : undefined) ??
    DIALECTS.find(({ hostWords }) =>
      hostWords.some((part) => hostname.toLowerCase().includes(part)),
    );
  return found?.word ?? null;
}

const namesSecret = (name: string): boolean =>
  SECRET_NAMES.includes(name.replace(/[-_]/g, "").toLowerCase());

/** A URL without the key it carries, and that key: in a parameter that is named like one, or before the host. */
export function withoutKey(text: string): { url: string; key: string | null } {
  const full = completed(text);
  if (!URL.canParse(full)) return { url: text, key: null };
  const url = new URL(full);
  let key: string | null = null;
  for (const [name, value] of [...url.searchParams]) {
    if (!namesSecret(name)) continue;
    key ??= value;
    url.searchParams.delete(name);
  }
  if (url.password !== "") {
    key ??= decoded(url.password);
    url.password = "";
    url.username = "";
  }
  return key === null
    ? { url: text, key: null }
    : { url: url.toString(), key: key === "" ? null : key };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Lines or commas of the form's list as topics; a bare id is a job's. */
export function topics(text: string): string[] {
  const found = text
    .split(/[\n,]/)
    .map((part) => part.trim())
    .filter((part) => part !== "")
    .map((part) => (part === "all" || /^(job|queue|user):/.test(part) ? part : `job:${part}`));
  return [...new Set(found)];
}
