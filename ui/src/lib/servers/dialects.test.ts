import { expect, test } from "vitest";

import { completed, guess, topics } from "./dialects";

test("the kind of server is guessed from a pasted URL's path, then from its port", () => {
  expect(guess("ws://10.0.0.1:9002/api/ws/tasks?api_key=x")).toBe("triggerx");
  expect(guess("https://triggerx.example.com/api/ws/tasks")).toBe("triggerx");
  expect(guess("http://localhost:3000")).toBe("study-buddy");
  expect(guess("wss://notes.example.com/jobs")).toBe("study-buddy");
  expect(guess("localhost:3001")).toBe("analyzer");
  expect(guess("ws://example.com/job-progress")).toBe("analyzer");
  expect(guess("ws://localhost:8080/ws/logs")).toBe("kecs");
  expect(guess("ws://localhost:8081")).toBe("bull-board");
  expect(guess("wss://example.com")).toBeNull();
  expect(guess("not a url at all")).toBeNull();
});

test("a host alone is completed, in the clear only on this computer", () => {
  expect(completed("localhost:3001")).toBe("ws://localhost:3001");
  expect(completed("jobs.example.com")).toBe("wss://jobs.example.com");
  expect(completed("  https://jobs.example.com ")).toBe("https://jobs.example.com");
});

test("what to watch is one topic a line, a bare id being a job's", () => {
  expect(topics("all\n job:42,queue:mail\n\n7\n7")).toEqual([
    "all",
    "job:42",
    "queue:mail",
    "job:7",
  ]);
});
