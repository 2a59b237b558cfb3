import { cleanup, configure } from "@testing-library/svelte";
import { afterEach } from "vitest";

// A busy machine is no failure: tests wait for what they expect, up to this.
configure({ asyncUtilTimeout: 8000 });

afterEach(() => {
  cleanup();
  localStorage.clear();
});
