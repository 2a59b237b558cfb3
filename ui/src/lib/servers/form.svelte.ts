import type { App } from "../app/app.svelte";
import { asUserError } from "../backend/backend";
import type { KeyChange } from "../generated/KeyChange";
import type { ProbeFound } from "../generated/ProbeFound";
import type { ProbeView } from "../generated/ProbeView";
import type { ServerDraft } from "../generated/ServerDraft";
import type { TestStep } from "../generated/TestStep";
import type { TestStepKind } from "../generated/TestStepKind";
import type { UserError } from "../generated/UserError";
import { completed, guess, topics } from "./dialects";

/** Access to the key's fields. The key itself is never part of the page's state. */
export interface KeyFields {
  change(): KeyChange;
  /** Where a key would be stored. */
  keeps(): "store" | "session";
  read(): string | null;
  put(key: string): void;
  clear(): void;
  offerSession(): void;
  focus(): void;
  /** E-mail, password and whether to stay signed in, if both are filled in. */
  login(): { email: string; password: string; stay: boolean } | null;
  /** Removes the password from the page. */
  clearPassword(): void;
}

/** Access to the further headers, which are as secret as the key. */
export interface HeaderFields {
  read(): string | null;
  clear(): void;
}

const BLANK: ServerDraft = {
  id: null,
  name: "",
  dialect: "triggerx",
  ws: "",
  api: "",
  watch: ["all"],
  keyPlacement: null,
  namespace: "",
  options: [],
  extraCa: "",
  signIn: null,
};

/** Debounce before a URL is probed, in ms. */
const PAUSE = 900;

/** A server's form: its draft, and the results of probe and test. */
export class ServerForm {
  draft = $state<ServerDraft | null>(null);
  /** The URL as typed. */
  address = $state("");
  /** The socket's URL, if given separately. */
  socket = $state("");
  watch = $state("all");
  /** Whether the user chose the kind, so that probes leave it alone. */
  kindChosen = $state(false);
  probing = $state(false);
  probed = $state.raw<ProbeView | null>(null);
  testing = $state(false);
  steps = $state.raw<Partial<Record<TestStepKind, TestStep>> | null>(null);
  /** What would not work if the server were saved despite the failed test. */
  missing = $state<string | null>(null);
  saving = $state(false);
  error = $state.raw<UserError | null>(null);
  /** The e-mail signed in with, if any. */
  signedIn = $state<string | null>(null);
  /** A hint about what to fill in first. */
  note = $state<string | null>(null);
  key: KeyFields | undefined;
  headers: HeaderFields | undefined;

  readonly #app: App;
  readonly #id: string | null;
  /** The connection as loaded: if unchanged, it need not be tested. */
  #before = "";
  #watchBefore = "all";
  /** Numbers of the latest probe and test: answers to earlier ones are ignored. */
  #probeNumber = 0;
  #testNumber = 0;
  #probedUrl = "";
  #pendingProbe: Promise<void> | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #keyRequested = false;

  constructor(app: App, id: string | null) {
    this.#app = app;
    this.#id = id;
  }

  async load(): Promise<void> {
    if (this.#id === null) {
      this.draft = structuredClone(BLANK);
      return;
    }
    try {
      this.draft = await this.#app.backend.serverDraft(this.#id);
      this.address = this.draft.ws;
      this.watch = this.draft.watch.join("\n");
      this.#watchBefore = this.watch;
      this.kindChosen = true;
      this.#probedUrl = this.address;
      this.#before = this.#connection();
    } catch (thrown) {
      this.error = asUserError(thrown);
    }
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#probeNumber += 1;
    this.#testNumber += 1;
    this.key?.clear();
    this.key?.clearPassword();
    this.headers?.clear();
  }

  /** Whether closing would lose changes. */
  get dirty(): boolean {
    if (this.draft === null) return false;
    const secret =
      this.key?.read() !== null || this.key?.login() !== null || this.#headers() !== null;
    const other = secret || this.watch.trim() !== this.#watchBefore.trim();
    if (this.#id !== null)
      return other || this.#connection() !== this.#before || this.#named !== this.draft.name;
    return other || this.address.trim() !== "" || this.draft.name.trim() !== "";
  }
  get #named(): string {
    return this.#id === null ? "" : (this.#app.server(this.#id)?.name ?? "");
  }

  /** Everything in the form that affects the connection. */
  #connection(): string {
    const plain = $state.snapshot(this.draft);
    return JSON.stringify({
      ...plain,
      name: "",
      watch: [],
      signIn: null,
      address: this.address,
      socket: this.socket,
    });
  }

  /** The probe's finding for the selected kind. */
  get found(): ProbeFound | null {
    return this.probed?.found.find((one) => one.dialect === this.draft?.dialect) ?? null;
  }

  setAddress(text: string): void {
    this.address = text;
    this.probed = null;
    this.note = null;
    this.#keyRequested = false;
    const guessed = this.kindChosen || this.draft === null ? null : guess(text);
    if (guessed !== null && this.draft) this.draft.dialect = guessed;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.probe(), PAUSE);
  }

  setKind(kind: string): void {
    this.kindChosen = true;
    if (this.draft) this.draft.dialect = kind;
  }

  /** Switches to an address that a probe proposed. */
  async useAddress(url: string): Promise<void> {
    this.address = url;
    await this.probe();
  }

  /** Probes the URL, unless that was done or is in progress. */
  async probe(): Promise<void> {
    clearTimeout(this.#timer);
    const url = this.address.trim();
    if (this.draft === null || url === "") return;
    if (url === this.#probedUrl && this.#pendingProbe !== null) return this.#pendingProbe;
    if (url === this.#probedUrl && (this.probed !== null || this.#id !== null)) return;
    this.#probedUrl = url;
    const pending = this.#ask(url).finally(() => {
      if (this.#pendingProbe === pending) this.#pendingProbe = null;
    });
    this.#pendingProbe = pending;
    return pending;
  }

  async #ask(url: string): Promise<void> {
    if (this.draft === null) return;
    const mine = ++this.#probeNumber;
    this.probing = true;
    try {
      const probed = await this.#app.backend.probeServer(url, this.draft.extraCa.trim());
      if (mine !== this.#probeNumber) return;
      this.probed = probed;
      const best = probed.found[0];
      if (best !== undefined && best.sure && !this.kindChosen) this.draft.dialect = best.dialect;
    } catch (thrown) {
      if (mine === this.#probeNumber) this.error = asUserError(thrown);
    } finally {
      if (mine === this.#probeNumber) this.probing = false;
    }
  }

  /** The draft to send, completed with the probe's findings. */
  toDraft(): ServerDraft | null {
    if (this.draft === null) return null;
    const plain = $state.snapshot(this.draft);
    const found = this.found;
    const options = plain.options.filter(([, value]) => value.trim() !== "");
    const own = new Set(options.map(([name]) => name));
    return {
      ...plain,
      name: plain.name.trim(),
      ws: this.socket.trim() !== "" ? completed(this.socket) : found?.ws || completed(this.address),
      api: plain.api.trim() !== "" ? plain.api.trim() : found?.api || "",
      watch: topics(this.watch),
      namespace: plain.namespace.trim(),
      extraCa: plain.extraCa.trim(),
      keyPlacement: plain.keyPlacement,
      options: [...options, ...(found?.options ?? []).filter(([name]) => !own.has(name))],
    };
  }

  /** Signs in if e-mail and password are filled in. Returns false on failure. */
  async #signIn(): Promise<boolean> {
    const login = this.key?.login() ?? null;
    const sent = this.toDraft();
    if (login === null || sent === null || this.draft === null) return true;
    this.key?.clearPassword();
    try {
      this.draft.signIn = await this.#app.backend.signIn(
        sent,
        login.email,
        login.password,
        this.#headers(),
        login.stay,
      );
      this.signedIn = login.email;
      return true;
    } catch (thrown) {
      this.error = asUserError(thrown);
      this.key?.focus();
      return false;
    }
  }

  #failed(thrown: unknown): UserError {
    const error = asUserError(thrown);
    this.error = error;
    if (error.code === "signIn") this.signOut();
    return error;
  }

  /** Drops the sign-in, to enter a key or sign in as someone else. */
  signOut(): void {
    this.signedIn = null;
    if (this.draft) this.draft.signIn = null;
  }

  #change(): KeyChange {
    const change = this.key?.change() ?? "keep";
    if (change === "keep" && this.#headers() !== null) return this.key?.keeps() ?? "store";
    return this.draft?.signIn != null && change === "keep" ? "store" : change;
  }

  /** Further headers as typed; null if none, to keep the current ones. */
  #headers(): string | null {
    return this.headers?.read() ?? null;
  }

  /** Tests the connection. Returns the result, or null if the test did not run. */
  async test(): Promise<boolean | null> {
    await this.probe();
    this.error = null;
    this.note = null;
    const mine = ++this.#testNumber;
    this.testing = true;
    this.steps = null;
    this.missing = null;
    try {
      if (!(await this.#signIn())) return null;
      const sent = this.toDraft();
      if (sent === null || mine !== this.#testNumber) return null;
      this.steps = {};
      const verdict = await this.#app.backend.testServer(
        sent,
        this.#change(),
        this.key?.read() ?? null,
        this.#headers(),
        (step) => {
          if (mine === this.#testNumber) this.steps = { ...this.steps, [step.step]: step };
        },
      );
      if (mine !== this.#testNumber) return null;
      this.missing = verdict.ok ? null : verdict.missing;
      return verdict.ok;
    } catch (thrown) {
      if (mine === this.#testNumber) this.#failed(thrown);
      return null;
    } finally {
      if (mine === this.#testNumber) this.testing = false;
    }
  }

  /** Whether a required key is missing. Asks for it the first time only. */
  #wantsKey(present: boolean): boolean {
    if (
      this.#keyRequested ||
      present ||
      this.found?.wantsKey !== true ||
      this.draft?.signIn != null
    )
      return false;
    if (this.key?.read() !== null || this.key.login() !== null || this.#headers() !== null)
      return false;
    this.#keyRequested = true;
    this.note = `${this.found.title} requires a key.`;
    this.key.focus();
    return true;
  }

  /** Tests, and saves on success; resolves to the server's id once saved. */
  async connect(hasKey: boolean): Promise<string | null> {
    if (this.saving || this.testing || this.draft === null) return null;
    await this.probe();
    if (this.#wantsKey(hasKey)) return null;
    const unchanged =
      this.#id !== null &&
      this.#connection() === this.#before &&
      this.#change() === "keep" &&
      this.key?.login() === null;
    if (!unchanged && (await this.test()) !== true) return null;
    return this.save();
  }

  /** Saves without a test. Input is kept until that succeeds. */
  async save(): Promise<string | null> {
    const sent = this.toDraft();
    if (sent === null || this.saving) return null;
    this.saving = true;
    this.error = null;
    try {
      const saved = await this.#app.backend.saveServer(
        sent,
        this.#change(),
        this.key?.read() ?? null,
        this.#headers(),
      );
      this.key?.clear();
      this.headers?.clear();
      return saved;
    } catch (thrown) {
      if (this.#failed(thrown).code === "keyring") this.key?.offerSession();
      return null;
    } finally {
      this.saving = false;
    }
  }
}
