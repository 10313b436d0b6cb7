/**
 * What the panel knows before anybody writes: the customer's session, which screen it shows, and the page around it. The chat itself
 * is `Room`, loaded with the first key press (or at once where a chat goes on), so that typing can begin after 17 KB.
 */

import { call, HttpError } from "../../client/http";
import type { Masking } from "../../client/masking/mask";
import { openStore } from "../../client/storage";
import type { PanelOptions } from "../messages";
import { linkToPage } from "./page_link";
import type { Room } from "./room";
import { touch } from "./writing";

export interface Topic {
  label: string;
  department: string;
}

export interface FirstMessage {
  text: string;
  topic?: Topic;
  order?: string;
  name?: string;
  /** Kinds of secrets to send as they are. */
  keep?: readonly string[];
}

interface Session {
  customer_token: string;
  customer_id: string;
  pass: string;
  site: { name: string; topics: Topic[]; order_field: boolean; masking?: Masking };
  open: boolean;
}

/** What survives a reload: who we are here, and the chat on the screen. `chat` is the chat_key until the ticket is known. */
export interface Kept {
  token?: string;
  customer?: string;
  chat?: string;
  code?: string;
}

/** A pass lives 30 s; one that is nearly over is not worth a handshake. */
const PASS_MS = 25_000;
/** So long a tab waits for what another one is told. */
const TURN_MS = 5_000;
const RETRY_MS = [1_000, 2_000, 4_000, 8_000, 15_000];

export class Panel {
  readonly site = new URLSearchParams(location.search).get("site") ?? "";
  readonly store = openStore();
  readonly scope = `chat.${this.site}`;
  options: PanelOptions = {};
  session?: Session;
  /** `loading` until there is a session; `home` without a chat; `blocked` when the site is unknown. */
  screen: "loading" | "home" | "chat" | "blocked" = "loading";
  /** The server did not answer; it is asked again. */
  unreachable = false;
  /** The chat of the last visit is not there any more. */
  lost = false;
  shown = parent === window;
  room?: Room;
  kept: Kept = this.stored;
  /** The next screen shall take the focus: somebody opened the panel before it was there. */
  wantsFocus = this.shown;
  /** Set by the screen: puts the focus where one goes on. */
  focus: () => void = () => {
    this.wantsFocus = true;
  };

  private passAt = 0;
  private tries = 0;
  private loading?: Promise<Room>;
  private listeners: (() => void)[] = [];

  readonly page = linkToPage({
    hello: (options) => {
      this.options = options;
      this.tell();
    },
    shown: (shown, focus) => {
      this.shown = shown;
      this.room?.shown();
      if (shown && focus && !touch()) this.focus();
      this.tell();
    },
  });

  onChange(listener: () => void): void {
    this.listeners.push(listener);
  }

  tell(): void {
    for (const listener of this.listeners) listener();
  }

  constructor() {
    addEventListener("storage", this.hear);
  }

  /** Another tab of the shop has begun a chat: it goes on here too, unless somebody is writing here. */
  private readonly hear = ({ key }: StorageEvent) => {
    if (key !== this.scope) return;
    const { chat, code } = this.stored;
    const free = this.screen === "home" ? !this.loading : this.room?.ended; // the first key press loads the room
    if (!Number(chat) || chat === this.kept.chat || !free) return;
    this.kept = { ...this.kept, chat, code };
    void this.resume();
  };

  async start(): Promise<void> {
    const before = this.kept.chat;
    if (before) void this.load();
    try {
      await this.openSession();
    } catch (error) {
      return this.refused(error as HttpError, () => void this.start());
    }
    this.unreachable = false;
    if (this.kept.chat) return this.resume();
    this.page.tell({ chat: "live", live: false });
    this.screen = "home";
    this.tell();
  }

  /** Goes on with the chat that there is, if it is still there. */
  private async resume(): Promise<void> {
    await (await this.load()).start();
    this.screen = this.kept.chat ? "chat" : "home";
    this.tell();
  }

  /** Loads what a chat needs; called early, as soon as somebody starts to write. */
  async load(): Promise<Room> {
    this.loading ??= import("./room").then(({ Room }) => (this.room = new Room(this)));
    try {
      return await this.loading;
    } catch {
      this.loading = undefined;
      this.unreachable = true;
      this.tell();
      await new Promise((resolve) => setTimeout(resolve, this.wait()));
      // After an update of the server the file has another name: the page must be read again.
      if (this.tries > 3) location.reload();
      return this.load();
    }
  }

  async open(first: FirstMessage): Promise<void> {
    const room = await this.load();
    this.unreachable = this.lost = false;
    await room.open(first);
    this.screen = "chat";
    this.tell();
  }

  /** Back to the first screen; the chat stays readable with ticket and code. */
  leave(): void {
    this.keep({ chat: undefined, code: undefined });
    this.screen = "home";
    this.wantsFocus = document.hasFocus();
    this.tell();
  }

  close(): void {
    this.page.tell({ chat: "close" });
  }

  keep(change: Kept): void {
    this.kept = { ...this.kept, ...change };
    // Another tab may have written since: only what changed goes over it.
    this.store.set(this.scope, { ...this.stored, ...change });
  }

  /** What tabs have kept last. */
  get stored(): Kept {
    return this.store.get<Kept>(this.scope) ?? {};
  }

  async getPass(): Promise<string> {
    if (this.session && Date.now() - this.passAt < PASS_MS) {
      this.passAt = 0;
      return this.session.pass;
    }
    try {
      return (await call<{ pass: string }>("POST", "/api/v1/passes", { token: this.kept.token })).pass;
    } catch (error) {
      if (!(error instanceof HttpError) || error.status !== 401) throw error;
      await this.openSession();
      return this.getPass();
    }
  }

  async report(problem: "site_key" | "socket"): Promise<void> {
    const body = { site_key: this.site, problem };
    const answer = await call<{ explanation: string }>("POST", "/api/v1/widget-problems", { body }).catch((error: Error) => ({
      explanation: error.message,
    }));
    console.warn(`Chat: ${answer.explanation}`);
  }

  /**
   * Of the tabs that come with a new customer at the same moment, one asks who that is. It keeps the lock for as long as it lives: the
   * others see a little later only what it has stored.
   */
  private async openSession(): Promise<void> {
    if (this.stored.token || !this.store.lasting || !navigator.locks) return this.askForSession();
    const asked = await new Promise<boolean>((resolve, reject) => {
      const ask = async (lock: Lock | null) => {
        if (!lock) return resolve(false);
        await this.askForSession();
        resolve(true);
        return new Promise<void>(() => {});
      };
      navigator.locks.request(`${this.scope}.new`, { ifAvailable: true }, ask).catch(reject);
    });
    if (asked) return;
    await this.tokenOfAnotherTab();
    return this.askForSession();
  }

  /** Until it is there, or has not come in time: that tab may be frozen. */
  private tokenOfAnotherTab(): Promise<void> {
    return new Promise((resolve) => {
      const look = () => {
        if (this.stored.token) done();
      };
      const done = () => {
        clearTimeout(timer);
        removeEventListener("storage", look);
        resolve();
      };
      const timer = setTimeout(done, TURN_MS);
      addEventListener("storage", look);
      look();
    });
  }

  private async askForSession(): Promise<void> {
    const { customer } = this.kept;
    const token = this.stored.token ?? this.kept.token;
    const session = await call<Session>("POST", "/api/v1/customer-sessions", {
      body: { site_key: this.site, customer_token: token, locale: this.options.locale ?? navigator.language },
    });
    this.session = session;
    this.passAt = Date.now();
    this.keep({ token: session.customer_token, customer: session.customer_id });
    // Another customer than last time: the chat of last time is not ours any more.
    if (!customer || customer === session.customer_id || !this.kept.chat) return;
    this.lost = true;
    this.leave();
  }

  private refused(error: HttpError, again: () => void): void {
    if (error.temporary) {
      this.unreachable = true;
      setTimeout(again, error.retryAfterMs ?? this.wait());
    } else {
      this.screen = "blocked";
      void this.report("site_key");
    }
    this.tell();
  }

  private wait(): number {
    return RETRY_MS[this.tries++] ?? 15_000;
  }
}
