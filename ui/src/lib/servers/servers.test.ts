import { render, screen, waitFor, within } from "@testing-library/svelte";
import userEvent from "@testing-library/user-event";
import { beforeEach, describe, expect, test, vi } from "vitest";

import { App } from "../app/app.svelte";
import { contextOf } from "../app/context";
import { Mock } from "../backend/mock";
import { show } from "../shared/testing";
import { withoutKey } from "./dialects";
import ServerDialog from "./ServerDialog.svelte";

const KEY = "s3cr3t-key-never-to-be-seen";
const user = userEvent.setup({ delay: null });
beforeEach(() => vi.restoreAllMocks());

/** Everything a script or a screenshot could find in the page: text, attributes, field values, storage. */
function everywhere(): string {
  const values = [...document.querySelectorAll<HTMLInputElement>("input, textarea")].map((input) => input.value);
  return [document.documentElement.outerHTML, ...values, JSON.stringify({ ...localStorage }), location.href].join("\n");
}

async function connecting(options = {}): Promise<{ mock: Mock; dialog: HTMLElement }> {
  const mock = await show({ scene: "first", ...options });
  await user.click(screen.getByRole("button", { name: "Connect a server" }));
  const dialog = await screen.findByRole("dialog", { name: "Connect a server" });
  return { mock, dialog };
}

describe("connecting a server", () => {
  test("guesses the kind from the URL until the user chooses one", async () => {
    const { dialog } = await connecting();
    const kind = within(dialog).getByRole<HTMLSelectElement>("combobox", { name: "Kind of server" });
    const url = within(dialog).getByRole("textbox", { name: "URL" });
    await user.type(url, "ws://127.0.0.1:3001");
    expect(kind.value).toBe("analyzer");
    await user.selectOptions(kind, "study-buddy");
    await user.clear(url);
    await user.type(url, "ws://127.0.0.1:8081");
    expect(kind.value).toBe("study-buddy");
  });

  test("hands the key over and keeps it nowhere", async () => {
    const { mock, dialog } = await connecting();
    const save = vi.spyOn(mock, "saveServer");
    await user.type(within(dialog).getByRole("textbox", { name: "URL" }), "ws://127.0.0.1:3000");
    await user.type(within(dialog).getByLabelText("Key"), KEY);
    expect(document.documentElement.outerHTML).not.toContain(KEY);
    await user.click(within(dialog).getByRole("button", { name: "Connect" }));
    await screen.findByRole("button", { name: /^127\.0\.0\.1:3000/ });
    expect(save.mock.calls[0]?.[1]).toBe("store");
    expect(save.mock.calls[0]?.[2]).toBe(KEY);
    expect(JSON.stringify(save.mock.calls[0]?.[0])).not.toContain(KEY);
    expect(everywhere()).not.toContain(KEY);
  });

  test("has let go of the key before the program answers, and asks for it again where the keyring refuses", async () => {
    const { mock, dialog } = await connecting();
    mock.failing.set("saveServer", { code: "keyring", message: "The keyring is locked." });
    await user.type(within(dialog).getByRole("textbox", { name: "URL" }), "ws://127.0.0.1:3000");
    await user.type(within(dialog).getByLabelText("Key"), KEY);
    await user.click(within(dialog).getByRole("button", { name: "Connect" }));
    await within(dialog).findByText("The keyring is locked.");
    expect(everywhere()).not.toContain(KEY);
    expect(within(dialog).getByRole<HTMLInputElement>("radio", { name: "This session only" }).checked).toBe(true);
    const save = vi.spyOn(mock, "saveServer");
    await user.type(within(dialog).getByLabelText("Key"), KEY);
    await user.click(within(dialog).getByRole("button", { name: "Connect" }));
    await waitFor(() => expect(save.mock.calls[0]?.[1]).toBe("session"));
    await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
    expect(everywhere()).not.toContain(KEY);
  });

  test("moves a key that was pasted within the URL to where keys go", async () => {
    const { mock, dialog } = await connecting();
    const save = vi.spyOn(mock, "saveServer");
    await user.click(within(dialog).getByRole("textbox", { name: "URL" }));
    await user.paste(`ws://127.0.0.1:9002/api/ws/tasks?api_key=${KEY}&x=1`);
    await waitFor(() => expect(within(dialog).getByRole<HTMLInputElement>("textbox", { name: "URL" }).value).toBe("ws://127.0.0.1:9002/api/ws/tasks?x=1"));
    await user.click(within(dialog).getByRole("button", { name: "Connect" }));
    await waitFor(() => expect(save.mock.calls[0]?.[2]).toBe(KEY));
    expect(JSON.stringify(save.mock.calls[0]?.[0])).not.toContain(KEY);
    expect(withoutKey("https://user:p%40ss@example.com/x")).toEqual({ url: "https://example.com/x", key: "p@ss" });
    expect(withoutKey("ws://example.com/?cluster=a")).toEqual({ url: "ws://example.com/?cluster=a", key: null });
  });

  test("shows each step of the test, and where it stops", async () => {
    const { dialog } = await connecting();
    await user.type(within(dialog).getByRole("textbox", { name: "URL" }), "ws://127.0.0.1:3000");
    await user.type(within(dialog).getByRole("textbox", { name: "Name" }), "refuse");
    await user.click(within(dialog).getByRole("button", { name: "Test the connection" }));
    await within(dialog).findByText("The server answered 401. Check the key.");
    const steps = within(within(dialog).getByRole("list", { name: "Connection test" })).getAllByRole("listitem");
    expect(steps.map((step) => step.querySelector(".word")?.textContent)).toEqual([
      "Reached, well", "Upgraded, well", "Accepted, failed", "API answers, not tried", "Jobs, not tried",
    ]);
  });
});

describe("a server's status", () => {
  test("says in a sentence why, and offers the one thing that helps", async () => {
    const mock = await show();
    await user.click(screen.getByRole("button", { name: /^Demo Wallet analyzer, API mode/ }));
    const status = await screen.findByRole("group", { name: "Status of Demo Wallet analyzer" });
    expect(status.textContent).toContain("Polling the API: the live connection is down (the socket closed with code 1006).");
    expect(status.textContent).toMatch(/Next try in \d+ s\./);
    await user.click(within(status).getByRole("button", { name: "Reconnect now" }));
    expect(mock.calls.find((call) => call.name === "reconnect")?.args).toEqual(["demo-analyzer"]);
    await waitFor(() => expect(status.textContent).toContain("Connecting…"));
  });

  test("asks for a key where none was accepted", async () => {
    const mock = await show({ scene: "empty" });
    const server = mock.world.servers[0]!;
    server.status = { ...server.status, link: "refused", reason: "The server answered 401", remedy: "enterKey" };
    mock.touch();
    await user.click(await screen.findByRole("button", { name: /^Staging, Key not accepted/ }));
    await user.click(await screen.findByRole("button", { name: "Enter a key" }));
    const dialog = await screen.findByRole("dialog", { name: "Edit the server" });
    await waitFor(() => expect(document.activeElement).toBe(within(dialog).getByLabelText("Key")));
  });

  test.each([["key", "Key"], ["api", "API URL"], ["certificate", "Extra certificate authority"], ["keyPlace", "Where the key goes"], ["url", "URL"]] as const)(
    "opens its form at the %s, where a remedy leads there", async (field, label) => {
      const mock = new Mock({ scene: "empty", live: false });
      const app = new App(mock);
      await app.start();
      render(ServerDialog, { props: { id: mock.world.servers[0]!.id, field, onclose: () => undefined }, context: contextOf(app) });
      await waitFor(() => expect(document.activeElement).toBe(screen.getByLabelText(label)));
    },
  );

  test("names what is lost before a server is removed", async () => {
    const mock = await show({ scene: "empty" });
    await user.click(screen.getByRole("button", { name: /^Staging/ }));
    await user.click(await screen.findByRole("button", { name: "Remove the server" }));
    const dialog = screen.getByRole("dialog", { name: "Remove “Staging”?" });
    expect(dialog.textContent).toContain("its history and its key");
    await user.click(within(dialog).getByRole("button", { name: "Remove the server" }));
    await waitFor(() => expect(mock.world.servers).toHaveLength(0));
    await screen.findByRole("button", { name: "Connect a server" });
  });

  test("says that the keyring is being waited for", async () => {
    const mock = await show({ scene: "empty" });
    mock.world.servers[0]!.key = "waiting";
    mock.touch();
    await user.click(screen.getByRole("button", { name: /^Staging/ }));
    await screen.findByText("Waiting for the keyring. It may be showing a prompt.");
  });
});
