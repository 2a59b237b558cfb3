import { fireEvent, render, screen, waitFor, within } from "@testing-library/svelte";
import userEvent from "@testing-library/user-event";
import { beforeEach, describe, expect, test, vi } from "vitest";

import { App } from "../app/app.svelte";
import { contextOf } from "../app/context";
import type { ProbeFound } from "../generated/ProbeFound";
import type { ProbeView } from "../generated/ProbeView";
import { RecordedBackend } from "../testing/backend";
import { server } from "../testing/fixtures";
import { show } from "../testing/show";
import { DIALECTS, withoutKey } from "./dialects";
import ServerDialog from "./ServerDialog.svelte";

const KEY = "s3cr3t-key-never-to-be-seen";
const user = userEvent.setup({ delay: null });
beforeEach(() => vi.restoreAllMocks());

/** Everything a script could find in the page: text, attributes, field values, storage. */
function everywhere(): string {
  const values = [...document.querySelectorAll<HTMLInputElement>("input, textarea")].map(
    (input) => input.value,
  );
  return [
    document.documentElement.outerHTML,
    ...values,
    JSON.stringify({ ...localStorage }),
    location.href,
  ].join("\n");
}

/** What the program found at these addresses, by their port. */
const PROBES: Record<string, ProbeView> = {
  ":3000": probe("study-buddy", "AI Study Buddy", "its API answers at /jobs/user/me.", ":3000"),
  ":3001": probe("analyzer", "Wallet analyzer", "its API answers at /api/v1.", ":3001"),
  ":3002": probe("bull-board", "Better Bull Board", "its API answers at /api.", ":8081", {
    api: "http://127.0.0.1:3002/api",
    wantsKey: true,
  }),
  ":3003": {
    found: [],
    text: "127.0.0.1:3003 speaks http, not https.",
    instead: "http://127.0.0.1:3001/",
    proxy: null,
  },
};

function probe(
  dialect: string,
  title: string,
  text: string,
  port: string,
  change: Partial<ProbeFound> = {},
): ProbeView {
  const ws = `ws://127.0.0.1${port}/`;
  const found = { dialect, title, sure: true, ws, api: "", options: [], wantsKey: false };
  return {
    found: [{ ...found, ...change }],
    text: `${title}: ${text}`,
    instead: null,
    proxy: null,
  };
}

async function connecting(): Promise<{ backend: RecordedBackend; dialog: HTMLElement }> {
  const backend = await show("first");
  backend.on.probeServer = (url) =>
    Object.entries(PROBES).find(([port]) => url.includes(port))?.[1];
  backend.on.saveServer = ({ name, ws }) => {
    backend.servers = [server("s1", name || new URL(ws).host)];
    return "s1";
  };
  await user.click(screen.getByRole("button", { name: "Connect a server" }));
  const dialog = await screen.findByRole("dialog", { name: "Connect a server" });
  return { backend, dialog };
}

describe("connecting a server", () => {
  const field = (dialog: HTMLElement, name: string) =>
    within(dialog).getByRole<HTMLInputElement>("textbox", { name });
  const kindOf = (dialog: HTMLElement) =>
    within(dialog).getByRole<HTMLSelectElement>("combobox", { name: "Kind of server" });
  const press = (dialog: HTMLElement, name: string) =>
    user.click(within(dialog).getByRole("button", { name }));
  const calls = (backend: RecordedBackend, name: string) =>
    backend.calls.filter((call) => call.name === name);
  async function paste(dialog: HTMLElement, text: string) {
    await user.click(field(dialog, "URL"));
    await user.paste(text);
  }

  test("needs a pasted URL and one click, and shows which kind was found and why", async () => {
    const { backend, dialog } = await connecting();
    const save = vi.spyOn(backend, "saveServer");
    await paste(dialog, "  127.0.0.1:3001 ");
    await within(dialog).findByText(/Wallet analyzer: its API answers at \/api\/v1\./);
    expect(kindOf(dialog).value).toBe("analyzer");
    await press(dialog, "Connect");
    await screen.findByRole("button", { name: /^127\.0\.0\.1:3001/ });
    expect(calls(backend, "testServer")).toHaveLength(1);
    expect(save.mock.calls[0]?.[0]).toMatchObject({
      dialect: "analyzer",
      ws: "ws://127.0.0.1:3001/",
      name: "",
    });
  });

  test("takes socket, API and settings from what was found, unless they are filled in", async () => {
    const { backend, dialog } = await connecting();
    const save = vi.spyOn(backend, "saveServer");
    await paste(dialog, "http://127.0.0.1:3002/runs?page=2");
    await within(dialog).findByText(/Better Bull Board: /);
    expect(field(dialog, "URL").value).toBe("http://127.0.0.1:3002/runs?page=2");
    await user.type(within(dialog).getByLabelText("Key"), KEY);
    await press(dialog, "Connect");
    await waitFor(() =>
      expect(save.mock.calls[0]?.[0]).toMatchObject({
        dialect: "bull-board",
        ws: "ws://127.0.0.1:8081/",
        api: "http://127.0.0.1:3002/api",
      }),
    );
  });

  test("leaves the kind alone that the user chose", async () => {
    const { dialog } = await connecting();
    await user.selectOptions(kindOf(dialog), "study-buddy");
    await paste(dialog, "ws://127.0.0.1:3001");
    await within(dialog).findByText(/Wallet analyzer: /);
    expect(kindOf(dialog).value).toBe("study-buddy");
  });

  test("offers the address that would be right, and takes it at a click", async () => {
    const { dialog } = await connecting();
    await paste(dialog, "https://127.0.0.1:3003");
    await within(dialog).findByText(/speaks http, not https/);
    await press(dialog, "Use http://127.0.0.1:3001/");
    await within(dialog).findByText(/Wallet analyzer: /);
    expect(field(dialog, "URL").value).toBe("http://127.0.0.1:3001/");
  });

  test("asks for a required key, and explains where to find it", async () => {
    const { backend, dialog } = await connecting();
    await paste(dialog, "127.0.0.1:3002");
    await within(dialog).findByText(/Better Bull Board: /);
    await press(dialog, "Connect");
    await within(dialog).findByText("Better Bull Board requires a key.");
    expect(document.activeElement).toBe(within(dialog).getByLabelText("Key"));
    expect(dialog.textContent).toContain("cookie bbb-token");
    expect(calls(backend, "testServer")).toHaveLength(0);
    // A second click continues without a key.
    await press(dialog, "Connect");
    await waitFor(() => expect(calls(backend, "testServer")).toHaveLength(1));
  });

  test("explains for every kind where to find its key", async () => {
    const { dialog } = await connecting();
    for (const { word, keyHelp } of DIALECTS) {
      await user.selectOptions(kindOf(dialog), word);
      expect(dialog.textContent).toContain(keyHelp);
    }
  });

  test("hands the key over and keeps it nowhere", async () => {
    const { backend, dialog } = await connecting();
    const save = vi.spyOn(backend, "saveServer");
    await user.type(field(dialog, "URL"), "ws://127.0.0.1:3000");
    await user.type(within(dialog).getByLabelText("Key"), KEY);
    expect(document.documentElement.outerHTML).not.toContain(KEY);
    await press(dialog, "Connect");
    await screen.findByRole("button", { name: /^127\.0\.0\.1:3000/ });
    expect(save.mock.calls[0]?.[1]).toBe("store");
    expect(save.mock.calls[0]?.[2]).toBe(KEY);
    expect(JSON.stringify(save.mock.calls[0]?.[0])).not.toContain(KEY);
    expect(everywhere()).not.toContain(KEY);
  });

  test("hands further headers over with the key, and keeps them nowhere", async () => {
    const { backend, dialog } = await connecting();
    const save = vi.spyOn(backend, "saveServer");
    const HEADERS = `CF-Access-Client-Secret: ${KEY}`;
    await user.type(field(dialog, "URL"), "ws://127.0.0.1:3000");
    await user.click(within(dialog).getByText("Advanced"));
    await user.type(within(dialog).getByLabelText("Further headers"), HEADERS);
    expect(document.documentElement.outerHTML).not.toContain(KEY);
    await press(dialog, "Connect");
    await screen.findByRole("button", { name: /^127\.0\.0\.1:3000/ });
    expect(save.mock.calls[0]?.slice(1)).toEqual(["store", null, HEADERS]);
    expect(everywhere()).not.toContain(KEY);
    expect(JSON.stringify(backend.calls)).not.toContain(KEY);
  });

  test("signs in through the access proxy that the further headers are for", async () => {
    const { backend, dialog } = await connecting();
    const signIn = vi.spyOn(backend, "signIn");
    const tested = vi.spyOn(backend, "testServer");
    await paste(dialog, "127.0.0.1:3002");
    await within(dialog).findByText(/Better Bull Board: /);
    await user.click(within(dialog).getByRole("radio", { name: "Sign in" }));
    await user.type(within(dialog).getByLabelText("E-mail"), "ada@example.com");
    await user.type(within(dialog).getByLabelText("Password"), KEY);
    await user.click(within(dialog).getByText("Advanced"));
    await user.type(within(dialog).getByLabelText("Further headers"), "X-Proxy: letmein");
    await press(dialog, "Connect");
    await waitFor(() => expect(signIn.mock.calls[0]?.slice(3)).toEqual(["X-Proxy: letmein", true]));
    await waitFor(() => expect(tested.mock.calls[0]?.[3]).toBe("X-Proxy: letmein"));
  });

  test("keeps the key in its field where something else is refused, and goes on with it for the session", async () => {
    const { backend, dialog } = await connecting();
    const save = vi.spyOn(backend, "saveServer");
    backend.failing.set("saveServer", { code: "keyring", message: "The keyring is locked." });
    await user.type(field(dialog, "URL"), "ws://127.0.0.1:3000");
    await user.type(within(dialog).getByLabelText("Key"), KEY);
    await press(dialog, "Connect");
    await within(dialog).findByText("The keyring is locked.");
    expect(
      within(dialog).getByRole<HTMLInputElement>("radio", { name: "This session only" }).checked,
    ).toBe(true);
    expect(document.documentElement.outerHTML).not.toContain(KEY);
    await press(dialog, "Connect");
    await waitFor(() => expect(save.mock.calls[1]?.slice(1)).toEqual(["session", KEY, null]));
    await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
    expect(everywhere()).not.toContain(KEY);
  });

  test("keeps everything where a name is refused", async () => {
    const { backend, dialog } = await connecting();
    backend.failing.set("saveServer", {
      code: "invalid",
      message: "There is a server named “Mine” already.",
    });
    await user.type(field(dialog, "URL"), "ws://127.0.0.1:3000");
    await user.type(field(dialog, "Name"), "Mine");
    await user.type(within(dialog).getByLabelText("Key"), KEY);
    await press(dialog, "Connect");
    await within(dialog).findByText("There is a server named “Mine” already.");
    expect(field(dialog, "URL").value).toBe("ws://127.0.0.1:3000");
    expect(within(dialog).getByLabelText<HTMLInputElement>("Key").value).toBe(KEY);
  });

  test("asks before what was typed is lost by closing", async () => {
    const { dialog } = await connecting();
    await user.type(field(dialog, "URL"), "ws://127.0.0.1:3000");
    // The event that Escape causes.
    await fireEvent(dialog, new Event("cancel", { cancelable: true }));
    within(dialog).getByText("Discard your changes?");
    await press(dialog, "Keep editing");
    expect(field(dialog, "URL").value).toBe("ws://127.0.0.1:3000");
    await user.click(within(dialog).getAllByRole("button", { name: "Close" })[0]!);
    await press(dialog, "Discard");
    expect(screen.queryByRole("dialog")).toBeNull();
    // An empty form closes at once.
    await user.click(screen.getByRole("button", { name: "Connect a server" }));
    const empty = await screen.findByRole("dialog", { name: "Connect a server" });
    await fireEvent(empty, new Event("cancel", { cancelable: true }));
    expect(screen.queryByRole("dialog")).toBeNull();
  });

  test("moves a key that was pasted within the URL to where keys go", async () => {
    const { backend, dialog } = await connecting();
    const save = vi.spyOn(backend, "saveServer");
    await paste(dialog, `ws://127.0.0.1:9002/api/ws/tasks?api_key=${KEY}&x=1`);
    await waitFor(() =>
      expect(field(dialog, "URL").value).toBe("ws://127.0.0.1:9002/api/ws/tasks?x=1"),
    );
    await press(dialog, "Connect");
    await waitFor(() => expect(save.mock.calls[0]?.[2]).toBe(KEY));
    expect(JSON.stringify(backend.calls)).not.toContain(KEY);
    expect(withoutKey("https://user:p%40ss@example.com/x")).toEqual({
      url: "https://example.com/x",
      key: "p@ss",
    });
    expect(withoutKey("ws://example.com/?X-API-Key=sk-1&cluster=a")).toEqual({
      url: "ws://example.com/?cluster=a",
      key: "sk-1",
    });
    expect(withoutKey("ws://example.com/?cluster=a")).toEqual({
      url: "ws://example.com/?cluster=a",
      key: null,
    });
  });

  test("shows each step of the test, where it stops, what helps, and what saving anyway means", async () => {
    const { backend, dialog } = await connecting();
    backend.on.testServer = (...[, , , , onStep]) => {
      for (const step of ["reached", "socket", "api"] as const) {
        onStep({ step, state: "good", text: "", remedy: null });
      }
      onStep({ step: "key", state: "bad", text: "Wrong key.", remedy: "enterKey" });
      return { ok: false, missing: "Saved anyway, nothing is shown until a key is accepted." };
    };
    await user.type(field(dialog, "URL"), "ws://127.0.0.1:3000");
    await user.type(field(dialog, "Name"), "refuse");
    await press(dialog, "Connect");
    await within(dialog).findByText("Saved anyway, nothing is shown until a key is accepted.");
    const steps = within(
      within(dialog).getByRole("list", { name: "Connection test" }),
    ).getAllByRole("listitem");
    expect(steps.map((step) => step.querySelector(".word")?.textContent)).toEqual([
      "Server reachable, yes",
      "Socket open, yes",
      "API answers as AI Study Buddy, yes",
      "Key accepted, no",
      "Jobs listed, not tried",
    ]);
    expect(calls(backend, "saveServer")).toHaveLength(0);
    await press(dialog, "Enter a key");
    expect(document.activeElement).toBe(within(dialog).getByLabelText("Key"));
    await press(dialog, "Save anyway");
    await screen.findByRole("button", { name: /^refuse/ });
  });

  test("signs in where the server has that, and forgets the password at once", async () => {
    const { backend, dialog } = await connecting();
    const save = vi.spyOn(backend, "saveServer");
    const signIn = vi.spyOn(backend, "signIn");
    backend.failing.set("signIn", {
      code: "signIn",
      message: "127.0.0.1:3002 does not accept this e-mail and password.",
    });
    await paste(dialog, "127.0.0.1:3002");
    await within(dialog).findByText(/Better Bull Board: /);
    await user.click(within(dialog).getByRole("radio", { name: "Sign in" }));
    await user.type(within(dialog).getByLabelText("E-mail"), "ada@example.com");
    await user.type(within(dialog).getByLabelText("Password"), "wrong");
    await press(dialog, "Connect");
    await within(dialog).findByText(/does not accept this e-mail and password/);
    expect(within(dialog).getByLabelText<HTMLInputElement>("E-mail").value).toBe("ada@example.com");
    expect(within(dialog).getByLabelText<HTMLInputElement>("Password").value).toBe("");
    await user.type(within(dialog).getByLabelText("Password"), KEY);
    await press(dialog, "Connect");
    await waitFor(() => expect(save.mock.calls[0]?.[0]).toMatchObject({ signIn: 1 }));
    expect(save.mock.calls[0]?.slice(1)).toEqual(["store", null, null]);
    expect(signIn.mock.calls[1]?.slice(1)).toEqual(["ada@example.com", KEY, null, true]);
    await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
    expect(everywhere()).not.toContain(KEY);
    expect(JSON.stringify(backend.calls)).not.toContain(KEY);
  });

  test("saves a new name without trying the connection again", async () => {
    const backend = await show("empty");
    backend.on.saveServer = ({ name }) => {
      backend.servers = [server("s1", name)];
      return "s1";
    };
    await user.click(screen.getByRole("button", { name: /^Staging/ }));
    await user.click(await screen.findByRole("button", { name: "Edit the server" }));
    const dialog = await screen.findByRole("dialog", { name: "Edit the server" });
    const name = await within(dialog).findByRole("textbox", { name: "Name" });
    await user.clear(name);
    await user.type(name, "Production");
    await press(dialog, "Save");
    await screen.findByRole("button", { name: /^Production/ });
    expect(calls(backend, "testServer")).toHaveLength(0);
  });
});

describe("a server's status", () => {
  test("gives the reason in a sentence, and offers one remedy", async () => {
    const backend = await show();
    await user.click(screen.getByRole("button", { name: /^Demo Wallet analyzer, API mode/ }));
    const status = await screen.findByRole("group", { name: "Status of Demo Wallet analyzer" });
    const analyzer = backend.servers.find(({ id }) => id === "demo-analyzer")!;
    backend.on.reconnect = () =>
      (analyzer.status = { ...analyzer.status, link: "connecting", reason: null });
    expect(status.textContent).toContain(
      "Polling the API: the live connection is down (the socket closed with code 1006).",
    );
    expect(status.textContent).toMatch(/Next try in \d+ s\./);
    await user.click(within(status).getByRole("button", { name: "Reconnect now" }));
    expect(backend.calls.find((call) => call.name === "reconnect")?.args).toEqual([
      "demo-analyzer",
    ]);
    await waitFor(() => expect(status.textContent).toContain("Connecting…"));
  });

  test("says what a list leaves out, whatever the state of the connection", async () => {
    const backend = await show();
    await user.click(screen.getByRole("button", { name: /^Demo Wallet analyzer, API mode/ }));
    const status = await screen.findByRole("group", { name: "Status of Demo Wallet analyzer" });
    const server = backend.servers.find((server) => server.id === "demo-analyzer")!;
    server.status = {
      ...server.status,
      incomplete: "More than 4,000 jobs wait. The others are not listed.",
    };
    backend.touch();
    await waitFor(() =>
      expect(status.textContent).toContain(
        "(the socket closed with code 1006). More than 4,000 jobs wait. The others are not listed.",
      ),
    );
  });

  test("asks for a key where none was accepted", async () => {
    const backend = await show("empty");
    const server = backend.servers[0]!;
    server.status = {
      ...server.status,
      link: "refused",
      reason: "The server answered 401",
      remedy: "enterKey",
    };
    backend.touch();
    await user.click(await screen.findByRole("button", { name: /^Staging, Key not accepted/ }));
    const status = await screen.findByRole("group", { name: "Status of Staging" });
    await user.click(within(status).getByRole("button", { name: "Enter a key" }));
    const dialog = await screen.findByRole("dialog", { name: "Edit the server" });
    await waitFor(() => expect(document.activeElement).toBe(within(dialog).getByLabelText("Key")));
  });

  test.each([
    ["key", "Key"],
    ["api", "API URL"],
    ["socket", "Socket URL"],
    ["certificate", "Extra certificate authority"],
    ["keyPlace", "Where the key goes"],
    ["kind", "Kind of server"],
    ["signIn", "E-mail"],
    ["url", "URL"],
  ] as const)("opens its form at the %s, where a remedy leads there", async (field, label) => {
    const backend = new RecordedBackend("empty");
    const app = new App(backend);
    await app.start();
    render(ServerDialog, {
      props: { id: backend.servers[0]!.id, field, onclose: () => undefined },
      context: contextOf(app),
    });
    await waitFor(() => expect(document.activeElement).toBe(screen.getByLabelText(label)));
  });

  test("an empty list shows what is missing and offers a remedy, for a server and for all jobs", async () => {
    const backend = await show("empty");
    const server = backend.servers[0]!;
    server.status = {
      ...server.status,
      link: "partly",
      reason: "The API cannot be reached: nothing listens at 127.0.0.1:3000.",
      remedy: "setApiUrl",
    };
    backend.touch();
    const main = await screen.findByRole("list", { name: "Why jobs may be missing" });
    expect(main.textContent).toContain(
      "Staging: Partly connected. The API cannot be reached: nothing listens at 127.0.0.1:3000.",
    );
    await user.click(screen.getByRole("button", { name: /^Staging, Partly connected/ }));
    const heading = await screen.findByRole("heading", { name: "Partly connected" });
    expect(heading.parentElement?.textContent).toContain("nothing listens at 127.0.0.1:3000");
    expect(screen.queryByText("No jobs yet")).toBeNull();
    await user.click(within(heading.parentElement!).getByRole("button", { name: "Set API URL" }));
    const dialog = await screen.findByRole("dialog", { name: "Edit the server" });
    await waitFor(() =>
      expect(document.activeElement).toBe(within(dialog).getByLabelText("API URL")),
    );
  });

  test("shows what a server complains of in its own words, with when and how often", async () => {
    const backend = await show("empty");
    const server = backend.servers[0]!;
    server.unreadable = 3;
    server.diagnostics = [
      {
        fromServer: false,
        text: "A frame is not JSON.",
        sample: "{broken",
        at: Date.now() - 5_000,
        count: 3,
      },
      {
        fromServer: true,
        text: "Access denied to room",
        sample: null,
        at: Date.now() - 120_000,
        count: 2,
      },
    ];
    backend.touch();
    await user.click(await screen.findByRole("button", { name: /^Staging/ }));
    await user.click(
      await screen.findByRole("button", { name: /Access denied to room, 2 m ago, 2 times/ }),
    );
    const dialog = await screen.findByRole("dialog", { name: "Messages from Staging" });
    const rows = within(dialog)
      .getAllByRole("listitem")
      .map((row) => row.textContent);
    expect(rows[0]).toContain("A frame is not JSON.");
    expect(rows[0]).toContain("{broken");
    expect(rows[1]).toContain("Server error");
    await user.click(within(dialog).getAllByRole("button", { name: "Close" })[0]!);
    await user.click(screen.getByRole("button", { name: "3 unreadable messages" }));
    await screen.findByRole("dialog", { name: "Messages from Staging" });
  });

  test("names what is lost before a server is removed", async () => {
    const backend = await show("empty");
    backend.on.removeServer = () => (backend.servers = []);
    await user.click(screen.getByRole("button", { name: /^Staging/ }));
    await user.click(await screen.findByRole("button", { name: "Remove the server" }));
    const dialog = screen.getByRole("dialog", { name: "Remove “Staging”?" });
    expect(dialog.textContent).toContain("history and key");
    await user.click(within(dialog).getByRole("button", { name: "Remove the server" }));
    await waitFor(() => expect(backend.servers).toHaveLength(0));
    await screen.findByRole("button", { name: "Connect a server" });
  });

  test("shows that it is waiting for the keyring", async () => {
    const backend = await show("empty");
    backend.servers[0]!.key = "waiting";
    backend.touch();
    await user.click(screen.getByRole("button", { name: /^Staging/ }));
    await screen.findByText("Waiting for the keyring. It may be showing a prompt.");
  });
});
