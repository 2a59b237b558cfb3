import type { Level } from "../../generated/Level";
import type { LogGap } from "../../generated/LogGap";
import type { FakeJob } from "./world";

/** A line before anything is made of it, or a gap. */
export interface Entry {
  id: string;
  line: number;
  at: number;
  level: Level | null;
  origin: string | null;
  /** With escape sequences. */
  text: string;
  continued?: boolean;
  fields?: [string, string][];
  json?: string;
  below?: string[];
  more?: number;
  gap?: LogGap;
}

const LINES: [Level, string][] = [
  ["info", "GET /v1/jobs/next 200 in 14 ms"],
  ["debug", "cache hit for page 12, skipping"],
  ["info", "processed batch of 250 rows"],
  ["info", "progress reported"],
  ["info", "wrote 18 notes to the index"],
  ["debug", "connection 4 taken from the pool"],
  ["info", "GET /v1/jobs/next 204 in 3 ms"],
];

/** Any line of a log that is made from its number alone. */
export function generated(job: FakeJob, index: number): Entry {
  const line = index + 1;
  const start = job.row.startedAt ?? job.row.heardAt;
  const base = {
    id: `l${index}`,
    line,
    at: start + index * 130 + Math.floor(index / 1000) * 900,
    origin: index % 5 === 0 ? "worker-2" : "worker-1",
  };
  if (index % 997 === 500)
    return {
      ...base,
      level: "error",
      text: `could not parse line 88: unexpected end of input \u001b[31mred\u001b[0m \u202etxt.exe (${line})`,
    };
  if (index % 211 === 77)
    return { ...base, level: "warn", text: `retrying upload, attempt 2 of 5 (${line})` };
  const [level, text] = LINES[(index * 3 + (index >> 3)) % LINES.length] ?? ["info", ""];
  return { ...base, level, text: `${text} (${line})` };
}

/** How many of the first `total` generated lines have each level. */
export function generatedLevels(total: number, job: FakeJob): number[] {
  const levels = [0, 0, 0, 0, 0, 0, 0];
  const hits = (every: number, at: number) =>
    total > at ? Math.floor((total - 1 - at) / every) + 1 : 0;
  levels[5] = hits(997, 500);
  levels[4] = hits(211, 77);
  const debug = LINES.map(([level], place) => (level === "debug" ? place : -1)).filter(
    (place) => place >= 0,
  ).length;
  void job;
  levels[2] = Math.round(((total - levels[5] - levels[4]) * debug) / LINES.length);
  levels[3] = total - levels[2] - levels[4] - levels[5];
  return levels;
}

const ESC = "\u001b[";
const LONG = `{"rows":[${Array.from({ length: 60 }, (_, index) => `{"id":${index},"name":"row ${index}","score":${index / 7}}`).join(",")}]}`;

/** A log with everything that is hard to show. */
export function colourful(start: number): Entry[] {
  const entries: Entry[] = [];
  let at = start;
  const add = (level: Level | null, text: string, more: Partial<Entry> = {}) => {
    at += 40 + ((entries.length * 7919) % 900);
    entries.push({
      id: `c${entries.length}`,
      line: entries.length + 1,
      at,
      level,
      origin: "build",
      text,
      ...more,
    });
  };
  add(
    "info",
    `${ESC}1m==>${ESC}0m Building ${ESC}36mjobwatch${ESC}0m v0.4.0, see https://example.com/builds/77.`,
  );
  for (let round = 0; round < 24; round += 1) {
    add(null, `   ${ESC}1;32mCompiling${ESC}0m serde v1.0.${200 + round}`);
    add(
      null,
      `${ESC}2m   Downloading${ESC}0m crates ${ESC}3min order${ESC}0m, ${ESC}4munderlined${ESC}0m, ${ESC}9mstruck${ESC}0m, ${ESC}7minverse${ESC}0m`,
    );
    if (round % 4 === 0) {
      add(
        null,
        [30, 31, 32, 33, 34, 35, 36, 37, 90, 91, 92, 93, 94, 95, 96, 97]
          .map((code, index) => `${ESC}${code}mcolour ${index}${ESC}0m`)
          .join(" "),
      );
      add(
        null,
        [40, 41, 42, 43, 44, 45, 46, 47, 100, 101, 103, 104]
          .map((code) => `${ESC}${code}m ${code} ${ESC}0m`)
          .join("") +
          ` ${ESC}38;2;255;210;0mtrue colour${ESC}0m ${ESC}38;2;20;30;120mdark blue${ESC}0m`,
      );
    }
    add("info", "request handled", {
      origin: "api",
      fields: [
        ["method", "GET"],
        ["path", `/v1/jobs/${4200 + round}`],
        ["status", round % 7 === 3 ? "503" : "200"],
        ["took", `${3 + round} ms`],
      ],
      json: `{"level":"info","msg":"request handled","method":"GET","path":"/v1/jobs/${4200 + round}","status":200,"took":${3 + round},"user":{"id":"u-104","roles":["admin","ops"]}}`,
    });
    add("debug", `cache warm level=debug hit=true key=page-${round}`, {
      origin: "api",
      fields: [
        ["hit", "true"],
        ["key", `page-${round}`],
      ],
    });
    if (round % 3 === 1)
      add(
        "warn",
        `${ESC}33mwarning${ESC}0m: unused variable: \`rows\` in src/views/jobs.rs:${round * 11}:9`,
      );
    if (round % 6 === 2) {
      add("error", `TypeError: Cannot read properties of undefined (reading 'id')`, {
        origin: "worker",
      });
      for (const frame of [
        "at handle (/srv/app/src/jobs/handle.ts:88:17)",
        "at Worker.process (/srv/app/node_modules/bullmq/dist/worker.js:421:28)",
        "at process.processTicksAndRejections (node:internal/process/task_queues:95:5)",
        "at async Worker.run (/srv/app/worker.js:12:3)",
      ]) {
        add("error", `    ${frame}`, { continued: true, origin: "worker" });
      }
    }
    if (round % 8 === 5)
      add("info", `payload ${LONG.slice(0, 1400)}`, { more: LONG.length + 61_000 });
    if (round % 9 === 4)
      add("error", 'query failed: relation "jobs" does not exist', {
        below: [
          "LINE 1: select * from jobs where id = $1",
          "                      ^",
          "HINT: run the migrations first",
        ],
      });
    if (round === 12) {
      const from = at;
      at += 57_000;
      entries.push({
        id: `gap${round}`,
        line: entries.length + 1,
        at: from + 1,
        level: null,
        origin: null,
        text: "",
        gap: { beginning: false, from, to: at, fetchable: true, fetching: false },
      });
    }
    if (round === 18)
      add("info", "control characters \u0007 and \u202etxt.exe\u202c are made visible");
  }
  add(
    "fatal",
    "out of memory: killed process 4811 (node), see <https://example.com/runbook?id=oom&x=1>",
  );
  return entries;
}
