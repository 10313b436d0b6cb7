/**
 * One socket for all tabs of a browser: this tab has it (`Leader`), or another one has (`Follower`). The chats of the tab do not see
 * the difference, nor the change.
 */

import type { LineHooks } from "../chats";
import { claimDevice, claimSharedDevice, type DeviceClaim } from "../device";
import type { LineOptions } from "../open_line";
import type { Letter, OutboxItem } from "../outbox";
import type { Ack, ChatCommand, Limits, Query } from "../protocol";
import { randomId } from "../random";
import { CommandError, ConnectionLostError, type Line, type SocketEvents, type SocketStatus } from "../socket";
import { Channel, PATIENCE_MS } from "./channel";
import { Follower } from "./follower";
import { Leader, type LeaderOptions, TOLD } from "./leader";
import { Leadership, type Locks } from "./leadership";
import { Letters } from "./letters";

/** Tabs that cannot hear each other steal from each other again and again, this quickly. */
const DEAF_MS = 4 * PATIENCE_MS;

export class SharedLine implements Line {
  private readonly tab = randomId();
  private readonly channel: Channel;
  private readonly leadership: Leadership;
  private readonly letters: Letters;
  private readonly events = this.passOn();
  private role: Leader | Follower;
  private hooks?: LineHooks;
  private claim?: DeviceClaim;
  private started = false;
  /** When this tab stole the socket from one that it has never heard. */
  private deafAt = -Infinity;
  private closed = false;
  /** Called once this tab has the socket, or has heard from the one that has it. */
  private settled: () => void = () => {};
  private promises = new Map<string, { resolve(ack: Ack): void; reject(error: Error): void }>();
  /** The tab is about to be frozen, and can answer nobody. */
  private readonly freeze = (): void => {
    if (!(this.role instanceof Leader)) return;
    this.leadership.release();
    this.step();
  };

  constructor(
    private readonly options: LineOptions,
    private readonly locks: Locks = navigator.locks,
  ) {
    const { scope, store } = options;
    this.channel = new Channel(scope, this.tab);
    this.letters = new Letters(store, scope);
    this.leadership = new Leadership(locks, store, scope);
    this.leadership.lost = () => this.step();
    this.role = this.follower();
    document.addEventListener("freeze", this.freeze);
  }

  /** Finds out who has the socket. */
  async open(): Promise<this> {
    const settled = new Promise<void>((resolve) => {
      this.settled = resolve;
    });
    if (await this.leadership.try()) void this.lead();
    else this.follow();
    await settled;
    return this;
  }

  /** Where to tell what happens. */
  attach(hooks: LineHooks): this {
    this.hooks = hooks;
    return this;
  }

  close(): void {
    this.closed = true;
    this.settled();
    document.removeEventListener("freeze", this.freeze);
    if (this.role instanceof Follower) this.channel.ask({ m: "leave" });
    this.role.end();
    this.channel.close();
    this.claim?.release();
    this.leadership.release();
    for (const { reject } of this.promises.values()) reject(new ConnectionLostError());
  }

  // ---- the line ------------------------------------------------------------------------------------------------------------

  get status(): SocketStatus {
    return this.current.status;
  }

  get device(): string {
    return this.current.device;
  }

  get limits(): Limits {
    return this.current.limits;
  }

  items(): readonly OutboxItem[] {
    return this.role instanceof Leader ? this.role.socket.items() : this.role.items();
  }

  start(): void {
    const first = !this.started;
    this.started = true;
    if (this.role instanceof Leader) this.role.socket.start();
    else if (first) this.role.join(); // so that our chats hear how things are
    else this.channel.ask({ m: "start" });
  }

  /** For this tab; the others go on. */
  stop(): void {
    this.close();
  }

  wake(): void {
    if (this.role instanceof Leader) this.role.socket.wake();
    else this.channel.ask({ m: "wake" });
  }

  ask(query: Query): Promise<unknown> {
    return this.role.ask(query);
  }

  post(command: ChatCommand, chat?: string): { item: OutboxItem; done: Promise<Ack> } {
    if (this.role instanceof Leader) this.role.reigns(); // if not, it is a letter
    const item = this.role.post(command, chat);
    const done = new Promise<Ack>((resolve, reject) => this.promises.set(item.key, { resolve, reject }));
    done.catch(() => {}); // who does not wait for it hears of it by `failed`
    return { item, done };
  }

  remove(key: string): OutboxItem | undefined {
    if (this.role instanceof Leader) return this.role.socket.remove(key);
    this.channel.ask({ m: "remove", key });
    return this.role.items().find((item) => item.key === key);
  }

  read(ticket: number, seq: number): boolean {
    return this.role.read(ticket, seq);
  }

  typing(ticket: number): void {
    if (this.role instanceof Leader) this.role.socket.typing(ticket);
    else this.channel.ask({ m: "typing", ticket });
  }

  clear(): void {
    if (this.role instanceof Leader) this.role.clear();
    else this.channel.ask({ m: "clear" });
  }

  // ---- who has the socket --------------------------------------------------------------------------------------------------

  private get current(): { status: SocketStatus; device: string; limits: Limits } {
    return this.role instanceof Leader ? this.role.socket : this.role.shared;
  }

  private follower(before?: Leader): Follower {
    const { tab, channel, letters, events } = this;
    const shared = before && { ...before.shared(), status: { phase: "connecting", tries: 0 } as const, welcome: undefined };
    return new Follower({ tab, channel, letters, events, joined: () => this.settled(), silent: () => void this.steal() }, shared);
  }

  private follow(): void {
    void this.leadership.wait().then((ours) => {
      if (ours) void this.lead();
    });
    if (this.role instanceof Follower) this.role.join();
  }

  /** The tab with the socket does not answer: it is frozen, or this browser does not let us hear it. */
  private async steal(): Promise<void> {
    const { role } = this;
    if (!(role instanceof Follower) || this.closed || this.leadership.held) return;
    if (!role.heard && Date.now() - this.deafAt < DEAF_MS) return this.beAlone();
    if (!(await this.leadership.steal())) return;
    if (!role.heard) this.deafAt = Date.now();
    await this.lead();
  }

  private async lead(): Promise<void> {
    const { leadership, letters, channel } = this;
    const { scope, store } = this.options;
    const claim = await claimSharedDevice(scope, store, this.locks);
    if (this.closed || !leadership.reigns) {
      claim.release();
      return this.closed ? undefined : this.follow();
    }
    this.claim = claim;
    const reigns = () => leadership.reigns;
    this.become({ device: claim.device, store, channel, letters, term: leadership.term, reigns }, letters.all());
  }

  /** The tabs of this browser cannot hear each other: a socket and a device for this one alone. */
  private async beAlone(): Promise<void> {
    const { role, channel, letters } = this;
    const { scope, store } = this.options;
    this.leadership.release();
    channel.close();
    const claim = await claimDevice(scope, store, this.locks, { shared: false });
    if (this.closed || !(role instanceof Follower) || this.role !== role) return claim.release();
    this.claim = claim;
    this.become({ device: claim.device, store: claim.store, channel, letters, term: 0, reigns: () => true }, role.unsent());
  }

  private become(as: Pick<LeaderOptions, "device" | "store" | "channel" | "letters" | "term" | "reigns">, left: readonly Letter[]): void {
    const { role, events, hooks } = this;
    if (!(role instanceof Follower)) return;
    role.end();
    const leader = new Leader({
      ...this.options,
      ...as,
      newDevice: randomId,
      positions: () => this.hooks?.positions() ?? [],
      events,
      deposed: () => this.step(),
    });
    this.role = leader;
    leader.begin(role.shared, left);
    if (hooks && role.shared.device !== leader.socket.device) events.device?.(leader.socket.device);
    events.items?.(this.items());
    if (this.started) leader.socket.start();
    this.settled();
  }

  /** Not the leader any more. */
  private step(): void {
    const { role } = this;
    if (!(role instanceof Leader) || this.closed) return;
    const follower = this.follower(role);
    this.leadership.release();
    this.claim?.release();
    role.end();
    this.role = follower;
    this.events.status?.(follower.shared.status);
    this.follow();
  }

  // ---- what is told --------------------------------------------------------------------------------------------------------

  /** What happens goes to the chats of this tab; answers also settle what was promised. */
  private passOn(): SocketEvents {
    const all: Record<string, (...args: any[]) => void> = {};
    for (const name of [...TOLD, "items"] as const) {
      all[name] = (...args) => (this.hooks?.events[name] as ((...args: any[]) => void) | undefined)?.(...args);
    }
    return {
      ...all,
      acked: (item, ack) => {
        all.acked?.(item, ack);
        this.promises.get(item.key)?.resolve(ack);
        this.promises.delete(item.key);
      },
      failed: (item, error) => {
        all.failed?.(item, error);
        this.promises.get(item.key)?.reject(new CommandError(error.code, error.message, error));
        this.promises.delete(item.key);
      },
      items: (items) => {
        all.items?.(items);
        for (const [key, { reject }] of this.promises) {
          if (items.some((item) => item.key === key)) continue;
          reject(new ConnectionLostError()); // it is done, and nobody heard how
          this.promises.delete(key);
        }
      },
    };
  }
}
