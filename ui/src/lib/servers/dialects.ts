/** One kind of server, in a word for the form. */
export interface Dialect {
  word: string;
  title: string;
  /** What it is and how it is recognised. */
  hint: string;
  example: string;
  /** What its key is and where it is found. */
  key: string;
  /** Whether it gives keys out to those who sign in with e-mail and password. */
  signsIn: boolean;
  /** Settings only this dialect knows: name, label, hint. */
  options: [string, string, string][];
}

/** Settings that every kind of server has. */
export const COMMON_OPTIONS: Dialect["options"] = [
  ["log_megabytes", "Log budget, MB", "Defaults to the settings"],
  ["log_days", "Days logs are kept", "Defaults to the settings; 0 = keep forever"],
];

export const DIALECTS: Dialect[] = [
  {
    word: "triggerx",
    title: "TriggerX",
    hint: "Task stream of a TriggerX database server, usually on port 9002.",
    example: "https://triggerx.example.com:9002",
    key: "The API key of your TriggerX account, as in NEXT_PUBLIC_API_KEY of the web app’s .env file.",
    signsIn: false,
    options: [["user", "User", "Whose jobs to list without a key: an address, 0x…"]],
  },
  {
    word: "study-buddy",
    title: "AI Study Buddy",
    hint: "Its API and socket, usually on port 3000.",
    example: "https://study.example.com",
    key: "Sign in, or paste the cookie access_token of the site (in the browser’s developer tools, under Storage).",
    signsIn: true,
    options: [],
  },
  {
    word: "analyzer",
    title: "Wallet analyzer",
    hint: "Its API and socket, usually on port 3001.",
    example: "http://analyzer.example.com:3001",
    key: "The API key that you enter in the analyzer’s dashboard; its operator gives it out.",
    signsIn: false,
    options: [["framing", "Framing", "socket.io or raw"]],
  },
  {
    word: "kecs",
    title: "KECS",
    hint: "ECS tasks on Kubernetes: its API, usually on port 8080.",
    example: "http://kecs.example.com:8080",
    key: "None is needed, unless a proxy in front of it wants a bearer token.",
    signsIn: false,
    options: [
      ["cluster", "Cluster", "All clusters are watched where empty"],
      ["region", "Region", "Default: us-east-1"],
      ["admin", "Admin URL", "The admin server, which serves the logs, usually on port 8081"],
    ],
  },
  {
    word: "bull-board",
    title: "Better Bull Board",
    hint: "The address of its web page, usually on port 3000; its socket is found from there.",
    example: "https://board.example.com",
    key: "Sign in, or paste the cookie bbb-token of its web page (in the browser’s developer tools, under Storage).",
    signsIn: true,
    options: [],
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

/** Which dialect a URL looks like, or null where nothing speaks for one. */
export function guess(pasted: string): string | null {
  const text = completed(pasted);
  if (!URL.canParse(text)) return null;
  const { hostname, port, pathname } = new URL(text);
  if (/\/api\/ws\/(tasks|stats|health)/.test(pathname)) return "triggerx";
  if (pathname.startsWith("/job-progress")) return "analyzer";
  if (/^(\/api)?\/ws(\/|$)/.test(pathname)) return "kecs";
  if (/^\/jobs\/?$/.test(pathname)) return "study-buddy";
  const byPort: Record<string, string> = {
    "9002": "triggerx",
    "3001": "analyzer",
    "3000": "study-buddy",
    "8080": "kecs",
    "8081": "bull-board",
  };
  if (byPort[port]) return byPort[port];
  if (pathname.startsWith("/socket.io")) return "study-buddy";
  const names: [RegExp, string][] = [
    [/triggerx/i, "triggerx"],
    [/kecs/i, "kecs"],
    [/bull/i, "bull-board"],
    [/study|buddy/i, "study-buddy"],
    [/analy[sz]er|wallet/i, "analyzer"],
  ];
  return names.find(([pattern]) => pattern.test(hostname))?.[1] ?? null;
}

const KEY_NAMES = /^(api[-_]?key|key|(access[-_]?|auth[-_]?)?token|secret|jwt|password)$/i;

/** A URL without the key it carries, and that key: in a parameter that is named like one, or before the host. */
export function withoutKey(text: string): { url: string; key: string | null } {
  const full = completed(text);
  if (!URL.canParse(full)) return { url: text, key: null };
  const url = new URL(full);
  let key: string | null = null;
  for (const [name, value] of [...url.searchParams]) {
    if (!KEY_NAMES.test(name)) continue;
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
