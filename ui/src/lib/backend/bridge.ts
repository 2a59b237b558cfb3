import type { Backend } from "./backend";
import { commands } from "./commands";

/** The bridge's port and token, as `cargo xtask dev` puts them into the page's URL. */
const [port, token] = (new URLSearchParams(location.search).get("bridge") ?? "").split(".");
const address = `127.0.0.1:${port}/${token}`;

const listeners = new Map<string, (message: never) => void>();

const opened = new Promise<void>((resolve, reject) => {
  const socket = new WebSocket(`ws://${address}/channels`);
  socket.onopen = () => resolve();
  socket.onerror = () =>
    reject(new Error("No bridge: open the page by the URL of cargo xtask dev."));
  socket.onmessage = ({ data }) => {
    const { channel, message } = JSON.parse(data as string) as { channel: string; message: never };
    listeners.get(channel)?.(message);
  };
});

async function call<T>(command: string, args: Record<string, unknown> = {}): Promise<T> {
  await opened;
  const request = { method: "POST", body: JSON.stringify(args) };
  const response = await fetch(`http://${address}/call/${command}`, request);
  if (response.ok) return (await response.json()) as T;
  throw response.status === 422 ? await response.json() : await response.text();
}

function channel<T>(onMessage: (message: T) => void): string {
  const id = crypto.randomUUID();
  listeners.set(id, onMessage);
  return id;
}

const program = commands(call, channel);

/** Talks to the program over the loopback bridge of `cargo xtask dev`. In no page that ships. */
export const bridge: Backend = {
  ...program,
  openLink: async (url) => {
    await program.openLink(url);
    window.open(url, "_blank", "noopener");
  },
};
