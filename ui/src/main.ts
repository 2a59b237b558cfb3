import { mount } from "svelte";

import App from "./App.svelte";
import type { Backend } from "./lib/backend/backend";
import "./styles/tokens.css";
import "./styles/base.css";

async function backend(): Promise<Backend> {
  // Decided when the page is built: the fake is in no page that ships.
  if (import.meta.env.MODE === "mock") {
    const { Mock } = await import("./lib/backend/mock");
    const query = new URLSearchParams(location.search);
    const mock = new Mock({
      scene: (query.get("scene") ?? "demo") as "demo",
      live: query.get("live") !== "off",
    });
    Object.assign(globalThis, { mock });
    return mock;
  }
  return (await import("./lib/backend/tauri")).tauri;
}

const target = document.getElementById("app");
if (!target) throw new Error("The page has no #app.");
const found = await backend();
mount(App, { target, props: { backend: found } });
