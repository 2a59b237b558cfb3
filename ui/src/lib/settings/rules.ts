import type { EventKind } from "../generated/EventKind";
import type { NoticeRule } from "../generated/NoticeRule";
import { sanitize } from "../shared/sanitize";

/** Events of jobs: kind, label, and phrase to follow "a job". */
export const OF_JOBS: readonly [EventKind, string, string][] = [
  ["failed", "Fails, the first time", "fails"],
  ["stillFailing", "Fails again", "fails again"],
  ["fixed", "Recovers", "recovers"],
  ["completed", "Completes", "completes"],
  ["cancelled", "Is cancelled", "is cancelled"],
  ["gone", "Disappears, outcome unknown", "disappears"],
  ["started", "Starts", "starts"],
  ["slow", "Takes unusually long", "takes unusually long"],
];
export const OF_CONNECTIONS: readonly [EventKind, string, string][] = [
  ["lost", "Is lost", "is lost"],
  ["back", "Is back", "is back"],
];

/** A new rule with default values. */
export function blank(): NoticeRule {
  return {
    name: "",
    on: true,
    kinds: ["failed", "stillFailing"],
    servers: [],
    names: [],
    queues: [],
    users: [],
    watched: false,
    atLeastSeconds: 0,
    lostMinutes: 10,
    popup: true,
    breaches: false,
    run: [],
    post: "",
  };
}

/** `a, b or c`. */
export function either(words: readonly string[]): string {
  return words.length < 2
    ? (words[0] ?? "")
    : `${words.slice(0, -1).join(", ")} or ${words.at(-1)}`;
}

/** Describes a rule in sentences. `named` returns a server's name. */
export function describeRule(rule: NoticeRule, named: (server: string) => string): string {
  const of = (kinds: readonly [EventKind, string, string][]) =>
    kinds.filter(([kind]) => rule.kinds.includes(kind)).map(([, , phrase]) => phrase);
  const [jobs, connections] = [of(OF_JOBS), of(OF_CONNECTIONS)];
  const where =
    rule.servers.length > 0
      ? ` on ${either(rule.servers.map((server) => sanitize(named(server))))}`
      : "";
  const sentences: string[] = [];
  if (jobs.length > 0) {
    const like = (word: string, patterns: string[]) =>
      patterns.length > 0
        ? ` ${word} ${either(patterns.map((pattern) => `“${sanitize(pattern)}”`))}`
        : "";
    const which = [
      rule.watched ? "A job I watch" : "Any job",
      like("named", rule.names),
      like("in the queue", rule.queues),
      like("of", rule.users),
      where,
    ].join("");
    const long = rule.atLeastSeconds > 0 ? ` after at least ${seconds(rule.atLeastSeconds)}` : "";
    sentences.push(`${which} ${either(jobs)}${long}.`);
  }
  if (connections.length > 0) {
    const long = rule.lostMinutes > 0 ? `, after at least ${seconds(60 * rule.lostMinutes)}` : "";
    sentences.push(`A connection${where} ${either(connections)}${long}.`);
  }
  if (sentences.length === 0) sentences.push("Matches nothing.");
  if (!rule.popup) sentences.push("Listed without a popup.");
  else if (rule.breaches) sentences.push("Also during quiet hours.");
  if (rule.run.length > 0) sentences.push(`Runs ${sanitize(rule.run[0] ?? "")}.`);
  if (rule.post !== "") sentences.push("Posts to an address.");
  return sentences.join(" ");
}

/** `90` as `1 min 30 s`. */
function seconds(count: number): string {
  const [minutes, rest] = [Math.floor(count / 60), count % 60];
  return [minutes > 0 ? `${minutes} min` : "", rest > 0 || minutes === 0 ? `${rest} s` : ""]
    .filter((word) => word !== "")
    .join(" ");
}

/** Splits typed patterns at commas, except within regular expressions. */
export function patterns(text: string): string[] {
  const found = text.match(/\s*(\/(?:\\.|[^\\/])*\/|[^,]+)\s*(?:,|$)/g) ?? [];
  return found.map((part) => part.replace(/,\s*$/, "").trim()).filter((part) => part !== "");
}
