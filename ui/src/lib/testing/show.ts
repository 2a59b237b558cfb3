import { render, screen, waitFor } from "@testing-library/svelte";
import { vi } from "vitest";

import App from "../../App.svelte";
import { RecordedBackend, type Scene } from "./backend";

/** The height of every element in tests, since happy-dom has no layout. */
export const HEIGHT = 520;

/** Shows the whole page on a recorded program and waits until it is there. */
export async function show(scene: Scene | RecordedBackend = "demo"): Promise<RecordedBackend> {
  vi.spyOn(HTMLElement.prototype, "clientHeight", "get").mockReturnValue(HEIGHT);
  vi.spyOn(HTMLElement.prototype, "clientWidth", "get").mockReturnValue(1000);
  const backend = typeof scene === "string" ? new RecordedBackend(scene) : scene;
  render(App, { props: { backend } });
  await waitFor(() => screen.getByRole("navigation"));
  return backend;
}

/** Holds back all answers about rows until the returned function is called. */
export function stall(backend: RecordedBackend): () => void {
  let release = () => undefined as void;
  const released = new Promise<void>((done) => (release = done));
  backend.on.viewWindow = () => released;
  return () => {
    delete backend.on.viewWindow;
    release();
  };
}
