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

/** What the key's own fields know; the key itself is never state of the page. */
export interface KeyFields {
  change(): KeyChange;
  /** Where a key would be kept. */
  keeps(): "store" | "session";
  read(): string | null;
  put(key: string): void;
  clear(): void;
  offerSession(): void;
  focus(): void;
  /** E-mail, password and whether to stay signed in, where both are filled in. */
  login(): { email: string; password: string; stay: boolean } | null;
  /** The password, gone from the page. */
  clearPassword(): void;
}

/** The field of further headers, which are as secret as the key and no state either. */
export interface HeaderFields {
  read(): string | null;
  clear(): void;
}

const BLANK: ServerDraft = { id: null, name: "", dialect: "triggerx", ws: "", api: "", watch: ["all"], keyPlacement: null, namespace: "", options: [], extraCa: "", signIn: null };

/** How long nobody has typed before a URL is looked at. */
const PAUSE = 900;

/** A server's form: what is filled in, what a probe found out, and how a test went. */
export class ServerForm {
  draft = $state<ServerDraft | null>(null);
  /** The URL as typed. */
  address = $state("");
  /** The socket's own URL, where it is given apart. */
  socket = $state("");
  watch = $state("all");
  /** Whether the user chose the kind, so that no probe does any more. */
  kindChosen = $state(false);
  probing = $state(false);
  probed = $state.raw<ProbeView | null>(null);
  testing = $state(false);
  steps = $state.raw<Partial<Record<TestStepKind, TestStep>> | null>(null);
  /** What the server would lack if it were saved as the test went. */
  missing = $state<string | null>(null);
  saving = $state(false);
  error = $state.raw<UserError | null>(null);
  /** Who signed in here, once that went well. */
  signedIn = $state<string | null>(null);
  /** A word on what is to be filled in before anything is tried. */
  note = $state<string | null>(null);
  key: KeyFields | undefined;
  headers: HeaderFields | undefined;

  readonly #app: App;
  readonly #id: string | null;
  /** Of an existing server, as it was: what is not changed need not be tried. */
  #before = "";
  #watchBefore = "all";
  /** Later probes and tests, and closing, make the answers of earlier ones meaningless. */
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

  /** Whether something would be lost by closing. */
  get dirty(): boolean {
    if (this.draft === null) return false;
    const secret = this.key?.read() !== null || this.key?.login() !== null || this.#headers() !== null;
    const other = secret || this.watch.trim() !== this.#watchBefore.trim();
    if (this.#id !== null) return other || this.#connection() !== this.#before || this.#named !== this.draft.name;
    return other || this.address.trim() !== "" || this.draft.name.trim() !== "";
  }
  get #named(): string {
    return this.#id === null ? "" : (this.#app.server(this.#id)?.name ?? "");
  }

  /** What of the form decides how the server is reached. */
  #connection(): string {
    const plain = $state.snapshot(this.draft);
    return JSON.stringify({ ...plain, name: "", watch: [], signIn: null, address: this.address, socket: this.socket });
  }

  /** What was found for the kind that is chosen. */
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

  /** Takes another address that a probe proposed. */
  async useAddress(url: string): Promise<void> {
    this.address = url;
    await this.probe();
  }

  /** Asks what is behind the URL, unless that was asked already, or is being asked. */
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

  /** The draft to send: only what is filled in, completed by what was found. */
  toDraft(): ServerDraft | null {
    if (this.draft === null) return null;
    const plain = $state.snapshot(this.draft);
    const found = this.found;
    const options = plain.options.filter(([, value]) => value.trim() !== "");
    const own = new Set(options.map(([name]) => name));
    return {
      ...plain,
      name: plain.name.trim(),
      ws: this.socket.trim() !== "" ? completed(this.socket) : (found?.ws || completed(this.address)),
      api: plain.api.trim() !== "" ? plain.api.trim() : (found?.api || ""),
      watch: topics(this.watch),
      namespace: plain.namespace.trim(),
      extraCa: plain.extraCa.trim(),
      keyPlacement: plain.keyPlacement?.place ? plain.keyPlacement : null,
      options: [...options, ...(found?.options ?? []).filter(([name]) => !own.has(name))],
    };
  }

  /** Signs in where e-mail and password are filled in; false where that did not work. */
  async #signIn(): Promise<boolean> {
    const login = this.key?.login() ?? null;
    const sent = this.toDraft();
    if (login === null || sent === null || this.draft === null) return true;
    this.key?.clearPassword();
    try {
      this.draft.signIn = await this.#app.backend.signIn(sent, login.email, login.password, this.#headers(), login.stay);
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

  /** Signing in is over: a key is entered instead, or somebody else signs in. */
  signOut(): void {
    this.signedIn = null;
    if (this.draft) this.draft.signIn = null;
  }

  #change(): KeyChange {
    const change = this.key?.change() ?? "keep";
    if (change === "keep" && this.#headers() !== null) return this.key?.keeps() ?? "store";
    return this.draft?.signIn != null && change === "keep" ? "store" : change;
  }

  /** Further headers as typed; null where none are, so that the present ones are kept. */
  #headers(): string | null {
    return this.headers?.read() ?? null;
  }

  /** Tries the server as it is filled in. Whether that went well; null where it did not come to it. */
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
      const verdict = await this.#app.backend.testServer(sent, this.#change(), this.key?.read() ?? null, this.#headers(), (step) => {
        if (mine === this.#testNumber) this.steps = { ...this.steps, [step.step]: step };
      });
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

  /** Whether a key is wanted that nobody has entered. The first time, that is asked for. */
  #wantsKey(present: boolean): boolean {
    if (this.#keyRequested || present || this.found?.wantsKey !== true || this.draft?.signIn != null) return false;
    if (this.key?.read() !== null || this.key.login() !== null || this.#headers() !== null) return false;
    this.#keyRequested = true;
    this.note = `${this.found.title} requires a key.`;
    this.key.focus();
    return true;
  }

  /** Tests, and saves where the test went well; resolves to the server's id once it is saved. */
  async connect(hasKey: boolean): Promise<string | null> {
    if (this.saving || this.testing || this.draft === null) return null;
    await this.probe();
    if (this.#wantsKey(hasKey)) return null;
    const unchanged = this.#id !== null && this.#connection() === this.#before && this.#change() === "keep" && this.key?.login() === null;
    if (!unchanged && (await this.test()) !== true) return null;
    return this.save();
  }

  /** Saves without a test. What was typed stays where it is until that has worked. */
  async save(): Promise<string | null> {
    const sent = this.toDraft();
    if (sent === null || this.saving) return null;
    this.saving = true;
    this.error = null;
    try {
      const saved = await this.#app.backend.saveServer(sent, this.#change(), this.key?.read() ?? null, this.#headers());
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
