import { mount } from "svelte";

import App from "./App.svelte";
import type { Backend } from "./lib/backend/backend";
import "./styles/tokens.css";
import "./styles/base.css";

async function backend(): Promise<Backend> {
  return (await import("./lib/backend/tauri")).tauri;
}

const target = document.getElementById("app");
if (!target) throw new Error("The page has no #app.");
const found = await backend();
mount(App, { target, props: { backend: found } });
