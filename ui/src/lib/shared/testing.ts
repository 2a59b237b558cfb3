import { render, screen, waitFor } from "@testing-library/svelte";
import { vi } from "vitest";

import App from "../../App.svelte";
import { Mock, type MockOptions } from "../backend/mock";

/** The height of every element in tests, since happy-dom has no layout. */
export const HEIGHT = 520;

/** Shows the whole page on the fake program and waits until it has something to say. */
export async function show(options: MockOptions = {}): Promise<Mock> {
  vi.spyOn(HTMLElement.prototype, "clientHeight", "get").mockReturnValue(HEIGHT);
  vi.spyOn(HTMLElement.prototype, "clientWidth", "get").mockReturnValue(1000);
  const mock = new Mock({ live: false, ...options });
  render(App, { props: { backend: mock } });
  await waitFor(() => screen.getByRole("navigation"));
  return mock;
}

/** The program answers no question about rows from now on, until what this gives is called. */
export function stall(): () => void {
  let go = () => undefined as void;
  const gone = new Promise<void>((done) => (go = done));
  const answer = Mock.prototype.viewWindow;
  vi.spyOn(Mock.prototype, "viewWindow").mockImplementation(async function (this: Mock, ...asked) {
    await gone;
    return answer.apply(this, asked);
  });
  return go;
}
