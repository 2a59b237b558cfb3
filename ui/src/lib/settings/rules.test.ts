import { screen, waitFor, within } from "@testing-library/svelte";
import userEvent from "@testing-library/user-event";
import axe from "axe-core";
import { expect, test } from "vitest";

import type { RecordedBackend } from "../testing/backend";
import type { NoticeRule } from "../generated/NoticeRule";
import type { Preferences } from "../generated/Preferences";
import { show } from "../testing/show";
import { blank, describeRule, patterns } from "./rules";

const user = userEvent.setup({ delay: null });

function rules(backend: RecordedBackend): NoticeRule[] {
  return (
    backend.calls.filter((call) => call.name === "setPreferences").at(-1)!.args[0] as Preferences
  ).rules;
}

test("patterns are apart by commas, but for those within a regular expression", () => {
  expect(patterns("")).toEqual([]);
  expect(patterns("nightly-*, weekly ,  ")).toEqual(["nightly-*", "weekly"]);
  expect(patterns(String.raw`/^a{1,3}$/, b, /c\/,d/`)).toEqual([
    String.raw`/^a{1,3}$/`,
    "b",
    String.raw`/c\/,d/`,
  ]);
});

test("a rule is described in sentences", () => {
  const named = (id: string) => ({ a: "Lectures", b: "Tasks" })[id] ?? "?";
  const say = (rule: Partial<NoticeRule>) => describeRule({ ...blank(), ...rule }, named);
  expect(say({})).toBe("Any job fails or fails again.");
  expect(say({ kinds: ["completed"], watched: true, atLeastSeconds: 90 })).toBe(
    "A job I watch completes after at least 1 min 30 s.",
  );
  expect(
    say({
      kinds: ["failed"],
      servers: ["a", "b"],
      names: ["x*", "y"],
      queues: ["mail"],
      users: ["ann"],
    }),
  ).toBe("Any job named “x*” or “y” in the queue “mail” of “ann” on Lectures or Tasks fails.");
  expect(say({ kinds: ["lost", "back"], popup: false })).toBe(
    "A connection is lost or is back, after at least 10 min. Listed without a popup.",
  );
  expect(say({ kinds: [], run: ["notify.sh", "x"], post: "https://host/" })).toBe(
    "Matches nothing. Runs notify.sh. Posts to an address.",
  );
});

test("a new rule shows what it would have matched before it is saved", async () => {
  const backend = await show();
  backend.on.tryRule = () => ({
    total: 14,
    matched: 2,
    examples: [{ title: "nightly failed", serverName: "Lectures", at: Date.now() }],
  });
  await user.click(screen.getByRole("button", { name: "Settings" }));
  await user.click(await screen.findByRole("button", { name: "Add a rule" }));
  const dialog = await screen.findByRole("dialog", { name: "New rule" });
  await within(dialog).findByText("2 would have notified you");
  await within(dialog).findByText("nightly failed");
  await within(dialog).findByText("and 1 more");
  await user.type(within(dialog).getByRole("textbox", { name: "Name" }), "Nights");
  await user.type(within(dialog).getByRole("textbox", { name: "Job name" }), "nightly-*, /^n/");
  await within(dialog).findByText(/named “nightly-\*” or “\/\^n\/”/);
  await user.click(within(dialog).getByRole("checkbox", { name: "Fails again" }));
  expect((await axe.run(dialog)).violations).toEqual([]);
  await user.click(within(dialog).getByRole("button", { name: "Save rule" }));
  await waitFor(() =>
    expect(rules(backend).at(-1)).toMatchObject({
      name: "Nights",
      kinds: ["failed"],
      names: ["nightly-*", "/^n/"],
    }),
  );
  expect(rules(backend)).toHaveLength(4);
  await screen.findByText("Any job named “nightly-*” or “/^n/” fails.");
});

test("an invalid rule is not saved, and shows why", async () => {
  const backend = await show();
  backend.on.tryRule = ({ names }) => {
    if (names.includes("/(/")) throw { code: "invalid", message: "“/(/” is not a valid pattern." };
    return { total: 0, matched: 0, examples: [] };
  };
  await user.click(screen.getByRole("button", { name: "Settings" }));
  await user.click(await screen.findByRole("button", { name: "Edit Failures" }));
  const dialog = await screen.findByRole("dialog", { name: "Edit rule" });
  await user.type(within(dialog).getByRole("textbox", { name: "Job name" }), "/(/");
  await within(dialog).findByText(/is not a valid pattern/);
  expect(within(dialog).getByRole("button", { name: "Save rule" })).toHaveProperty(
    "disabled",
    true,
  );
});

test("a program is tried on the last job before it is saved", async () => {
  const backend = await show();
  backend.on.runRule = () => ["notify.sh: done, after 12 ms."];
  await user.click(screen.getByRole("button", { name: "Settings" }));
  await user.click(await screen.findByRole("button", { name: "Edit Failures" }));
  const dialog = await screen.findByRole("dialog", { name: "Edit rule" });
  await user.click(within(dialog).getByText("Run a program or post to a URL"));
  await user.type(within(dialog).getByRole("textbox", { name: "Program" }), "notify.sh");
  await user.type(
    within(dialog).getByRole("textbox", { name: "Arguments" }),
    "one two{Enter}three",
  );
  await user.click(within(dialog).getByRole("button", { name: "Test with the last job" }));
  await within(dialog).findByText(/notify.sh: done/);
  expect(backend.calls.find((call) => call.name === "runRule")?.args).toMatchObject([
    { run: ["notify.sh", "one two", "three"] },
  ]);
});

test("a rule is switched off, removed, and put back", async () => {
  const backend = await show();
  await user.click(screen.getByRole("button", { name: "Settings" }));
  await user.click(await screen.findByRole("checkbox", { name: "Failures: enabled" }));
  await waitFor(() => expect(rules(backend)[0]).toMatchObject({ name: "Failures", on: false }));
  await user.click(screen.getByRole("button", { name: "Remove Connections" }));
  await waitFor(() => expect(rules(backend)).toHaveLength(2));
  await user.click(await screen.findByRole("button", { name: "Undo" }));
  await waitFor(() => expect(rules(backend)).toHaveLength(3));
});
