import { mount } from "svelte";

import App from "./App.svelte";
import type { Backend } from "./lib/backend/backend";
import "./styles/tokens.css";
import "./styles/base.css";

async function backend(): Promise<Backend> {
  // Decided when the page is built: the bridge of `cargo xtask dev` is in no page that ships.
  if (import.meta.env.MODE === "bridge") return (await import("./lib/backend/bridge")).bridge;
  return (await import("./lib/backend/tauri")).tauri;
}

const target = document.getElementById("app");
if (!target) throw new Error("The page has no #app.");
const found = await backend();
mount(App, { target, props: { backend: found } });
