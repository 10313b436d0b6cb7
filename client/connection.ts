/**
 * One WebSocket that comes back. It gets a pass, says hello, answers pings, notices silence and reconnects with full jitter, as the
 * close code asks. What the frames mean is not its matter.
 */

import { DRAINING, LOST, stopMessage, UNAUTHENTICATED } from "./close_codes";
import { HttpError } from "./http";
import { type Bye, type Hello, parseFrames, type ServerFrame, SUBPROTOCOL, type Welcome } from "./protocol";

export type SocketStatus =
  | { phase: "idle" }
  | { phase: "connecting"; tries: number }
  | { phase: "online" }
  /** `blocked`: passes work, but no WebSocket has ever opened here. */
  | { phase: "waiting"; tries: number; retryAt: number; blocked: boolean }
  | { phase: "offline" }
  /** `code` is a close code, or the HTTP status that refused the pass. */
  | { phase: "stopped"; code: number; message: string };

export interface ConnectionOptions {
  url: string;
  /** A pass, by HTTP. An `HttpError` that is not temporary ends the connection. */
  getPass(): Promise<string>;
  /** What `hello` says besides the credential. */
  hello(): Pick<Hello, "device" | "chats">;
  status(status: SocketStatus): void;
  welcome(welcome: Welcome): void;
  frame(frame: Exclude<ServerFrame, Welcome | Bye | { op: "ping" | "pong" }>): void;
  /** What was asked and not answered will not be answered any more. */
  dropped(): void;
  WebSocket?: typeof WebSocket;
}

const HELLO_TIMEOUT_MS = 10_000;
const CHECK_TIMEOUT_MS = 5_000;
const BACKOFF_MS = 500;
const BACKOFF_TOP_MS = 20_000;
/** A connection that lived this long was a good one: the next backoff starts small again. */
const GOOD_MS = 10_000;
/** As many unopened sockets, with passes that work, mean that something on the way blocks WebSockets. */
const BLOCKED_TRIES = 3;

export class Connection {
  status: SocketStatus = { phase: "idle" };
  /** After `welcome`, until it is lost. */
  online = false;

  private ws?: WebSocket;
  private opened = false;
  private running = false;
  private id = 0;
  private tries = 0;
  private welcomedAt = 0;
  private heardAt = 0;
  private resumeToken?: string;
  private refusedOnce = false;
  private attempt = 0;
  /** When the server asked us to come back. */
  private leaveAt?: number;
  private timer?: ReturnType<typeof setTimeout>;
  private liveness?: ReturnType<typeof setInterval>;

  constructor(private readonly options: ConnectionOptions) {}

  start(): void {
    if (this.running) return;
    this.running = true;
    this.tries = 0;
    this.refusedOnce = false;
    addEventListener("online", this.wake);
    addEventListener("offline", this.sleep);
    document.addEventListener("visibilitychange", this.check);
    if (navigator.onLine === false) this.sleep();
    else void this.connect();
  }

  stop(): void {
    this.end({ phase: "idle" });
  }

  /** Connects at once if it waits for its turn. */
  readonly wake = (): void => {
    if (!this.running || this.ws || this.status.phase === "connecting") return;
    this.tries = 0;
    void this.connect();
  };

  /** Browsers let the timers of a hidden tab run late, up to a minute: whoever looks on from another tab has us do what is due. */
  catchUp(): void {
    if (this.status.phase === "waiting" && Date.now() >= this.status.retryAt) void this.connect();
  }

  /** Connects anew, with a pass: what `hello` says has changed. */
  restart(): void {
    this.resumeToken = undefined;
    this.drop();
    void this.connect();
  }

  /** The number of the next command on this connection. */
  nextId(): number {
    return ++this.id;
  }

  send(frame: object): void {
    if (this.ws?.readyState === 1) this.ws.send(JSON.stringify(frame));
  }

  private readonly sleep = (): void => {
    this.drop();
    this.setStatus({ phase: "offline" });
  };

  /** A tab that comes back after a while may hold a dead connection: ask, and do not wait long. */
  private readonly check = (): void => {
    if (document.visibilityState !== "visible") return;
    if (!this.online) return this.wake();
    const asked = Date.now();
    this.send({ op: "ping" });
    setTimeout(() => {
      if (this.online && this.heardAt < asked) this.lost(LOST);
    }, CHECK_TIMEOUT_MS);
  };

  private async connect(): Promise<void> {
    clearTimeout(this.timer);
    const attempt = ++this.attempt;
    this.opened = false;
    this.setStatus({ phase: "connecting", tries: this.tries });
    let pass: string | undefined;
    if (!this.resumeToken) {
      try {
        pass = await this.options.getPass();
      } catch (error) {
        if (attempt !== this.attempt) return;
        if (error instanceof HttpError && error.temporary) return this.retry(true, error.retryAfterMs);
        const code = error instanceof HttpError ? error.status : 0;
        return this.end({ phase: "stopped", code, message: error instanceof Error ? error.message : String(error) });
      }
      if (attempt !== this.attempt) return;
    }
    const ws = new (this.options.WebSocket ?? WebSocket)(this.options.url, SUBPROTOCOL);
    this.ws = ws;
    ws.onopen = () => {
      this.opened = true;
      const credential = pass ? { pass } : { resume_token: this.resumeToken };
      this.send({ op: "hello", id: this.nextId(), ...credential, ...this.options.hello() });
    };
    ws.onmessage = ({ data }) => this.receive(data as string);
    ws.onclose = ({ code }) => this.lost(code);
    this.timer = setTimeout(() => this.lost(LOST), HELLO_TIMEOUT_MS);
  }

  /** Forgets the socket without waiting for its close, which on a dead network takes minutes. */
  private drop(): void {
    const { ws } = this;
    this.attempt += 1;
    clearTimeout(this.timer);
    clearInterval(this.liveness);
    this.online = false;
    this.ws = undefined;
    if (ws) {
      ws.onopen = ws.onmessage = ws.onclose = null;
      ws.close();
    }
    this.id = 0;
    this.leaveAt = undefined;
    this.options.dropped();
  }

  /** The server goes: work on until `afterMs`, then connect again at once. The time is ours alone, so that not all come together. */
  private leave(afterMs: number): void {
    this.leaveAt = Date.now() + afterMs;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.tries = 0;
      this.drop();
      void this.connect();
    }, afterMs);
  }

  private lost(code: number): void {
    if (this.online && Date.now() - this.welcomedAt > GOOD_MS) this.tries = 0;
    const { opened, leaveAt } = this;
    this.drop();
    if (!this.running) return;
    if (code === UNAUTHENTICATED && !this.refusedOnce) {
      this.refusedOnce = true;
      this.resumeToken = undefined;
      return void this.connect();
    }
    const message = stopMessage(code);
    if (message) return this.end({ phase: "stopped", code, message });
    if (leaveAt === undefined) return this.retry(opened);
    this.tries = 0;
    if (leaveAt <= Date.now()) void this.connect();
    else this.retry(true, leaveAt - Date.now()); // it went before we did: the time it gave us holds
  }

  private retry(opened: boolean, afterMs?: number): void {
    const wait = afterMs ?? Math.random() * Math.min(BACKOFF_TOP_MS, BACKOFF_MS * 2 ** this.tries);
    this.tries += 1;
    const blocked = !opened && !this.welcomedAt && this.tries >= BLOCKED_TRIES;
    this.setStatus({ phase: "waiting", tries: this.tries, retryAt: Date.now() + wait, blocked });
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.connect(), wait);
  }

  private end(status: SocketStatus): void {
    this.running = false;
    this.drop();
    this.resumeToken = undefined;
    removeEventListener("online", this.wake);
    removeEventListener("offline", this.sleep);
    document.removeEventListener("visibilitychange", this.check);
    this.setStatus(status);
  }

  private setStatus(status: SocketStatus): void {
    this.status = status;
    this.options.status(status);
  }

  private receive(data: string): void {
    this.heardAt = Date.now();
    const { ws } = this;
    for (const frame of parseFrames(data)) {
      this.take(frame);
      if (this.ws !== ws) return; // a frame made us drop this connection
    }
  }

  private take(frame: ServerFrame): void {
    switch (frame.op) {
      case "welcome":
        return this.takeWelcome(frame);
      case "ping":
        return this.send({ op: "pong" });
      case "pong":
        return;
      case "bye":
        if (frame.reconnect) return this.leave(frame.after_ms);
        return this.end({ phase: "stopped", code: DRAINING, message: "The server ended the connection." });
      default:
        return this.options.frame(frame);
    }
  }

  private takeWelcome(welcome: Welcome): void {
    clearTimeout(this.timer);
    this.online = true;
    this.welcomedAt = Date.now();
    this.refusedOnce = false;
    this.resumeToken = welcome.resume_token;
    this.liveness = setInterval(() => {
      if (Date.now() - this.heardAt > 2 * welcome.ping_every) this.lost(LOST);
    }, welcome.ping_every / 2);
    this.setStatus({ phase: "online" });
    this.options.welcome(welcome);
  }
}
