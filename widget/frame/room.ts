/** The one chat of the panel: its socket, what a person does in it, and what the page around it is told. */

import { type ChatState, unreadCount } from "../../client/chat_state";
import { Chats } from "../../client/chats";
import { type Masked, Masker } from "../../client/masking/mask";
import { openLine } from "../../client/open_line";
import { socketUrl } from "../../client/socket";
import { ChatScreen } from "./chat";
import type { FirstMessage, Panel } from "./panel";
import { Secrets } from "./secrets";

export class Room {
  readonly View = ChatScreen;
  readonly Secrets = Secrets;
  chats?: Chats;
  /** How far this person had read when the panel was opened on something new: what is new stands below a line. */
  unreadAfter?: number;

  /** The chat whose first page has come. */
  private met?: number;
  private opening?: ReturnType<typeof openLine>;
  private masker?: Masker;
  private told: { unread?: number; live?: boolean; ticket?: number; ended?: boolean; blocked?: boolean } = {};

  constructor(readonly panel: Panel) {}

  get chat(): ChatState | undefined {
    return this.chats?.get(this.panel.kept.chat ?? "");
  }

  get ended(): boolean {
    const state = this.chat?.info?.state;
    return state === "closed" || state === "closing";
  }

  /** Goes on with the chat that there is; without one it is there for `open`. */
  async start(): Promise<Chats> {
    const chats = await this.connect();
    const { panel } = this;
    // Another tab may have got its ticket meanwhile.
    if (!chats.get(panel.kept.chat ?? "")) panel.kept = { ...panel.kept, ...panel.stored };
    const { chat = "" } = panel.kept;
    if (Number(chat)) {
      if (!chats.get(chat)) chats.attach(Number(chat));
    } else if (!chats.get(chat)) panel.keep({ chat: undefined }); // its `open_chat` was in memory only
    chats.socket.start();
    return chats;
  }

  private async connect(): Promise<Chats> {
    const { panel } = this;
    const { store, session } = panel;
    // Another customer of the same browser has another outbox.
    const scope = `${panel.scope}.${session?.customer_id}`;
    const { line } = await (this.opening ??= openLine({ scope, store, url: socketUrl(), getPass: () => panel.getPass() }));
    if (this.chats) return this.chats;
    const chats = new Chats({ reader: "customer", line, opened: (...opened) => this.opened(...opened) });
    this.chats = chats;
    chats.subscribe(() => this.changed());
    return chats;
  }

  async open(first: FirstMessage): Promise<void> {
    const { panel } = this;
    const { text, topic, order, name, keep } = first;
    const { locale, page_url } = panel.options;
    const chats = await this.connect();
    chats.socket.start();
    const opened = chats.open({
      ...this.hidden(text, keep),
      topic: topic?.label,
      department: topic?.department,
      order: this.mask(order).text || undefined,
      name: this.mask(name).text || undefined,
      locale,
      page_url,
    });
    panel.keep({ chat: opened.chat, code: undefined });
  }

  private opened(chatKey: string, ticket: number, code?: string): void {
    if (this.panel.kept.chat === chatKey) this.panel.keep({ chat: String(ticket), code });
  }

  post(message: string, keep: readonly string[]): void {
    const { text, ...extra } = this.hidden(message, keep);
    this.chats?.postMessage(this.panel.kept.chat ?? "", text, extra);
  }

  /** Without its secrets but those the author keeps. They do not even reach the outbox. */
  mask(text = "", keep: readonly string[] = []): Masked {
    this.masker ??= new Masker(this.panel.session?.site.masking);
    return this.masker.mask(text, keep);
  }

  private hidden(text: string, keep: readonly string[] = []): { text: string; keep?: string[] } {
    return { text: this.mask(text, keep).text, keep: keep.length ? [...keep] : undefined };
  }

  retry(key: string): void {
    this.chats?.retry(this.panel.kept.chat ?? "", key);
  }

  discard(key: string): void {
    this.chats?.discard(this.panel.kept.chat ?? "", key);
    if (!this.chat?.ticket && !this.chat?.pending.length) this.panel.leave();
  }

  end(): void {
    if (this.chat) this.chats?.send({ op: "close_chat", ticket: this.chat.ticket });
  }

  rate(rating: number, text?: string): void {
    if (this.chat) this.chats?.send({ op: "rate_chat", ticket: this.chat.ticket, rating, text: this.mask(text).text || undefined });
  }

  typing(): void {
    if (this.chat?.ticket) this.chats?.socket.typing(this.chat.ticket);
  }

  /** Everything on the screen was seen. */
  seen(): void {
    if (this.panel.shown && document.visibilityState === "visible" && this.chat?.ticket) this.chats?.read(this.chat.ticket);
  }

  focus(): void {
    this.panel.focus();
  }

  leave(): void {
    if (this.chat?.ticket) this.chats?.detach(this.chat.ticket);
    this.unreadAfter = this.met = undefined;
    this.panel.leave();
  }

  shown(): void {
    if (this.panel.shown) this.markUnread();
    this.tellPage();
  }

  private changed(): void {
    const { chat, panel, chats } = this;
    if (chat && chats?.isGone(chat.ticket)) {
      panel.lost = true;
      this.leave();
    }
    const status = chats?.status;
    if (status?.phase === "waiting" && status.blocked && !this.told.blocked) {
      this.told.blocked = true;
      void panel.report("socket");
    }
    if (chat?.info && this.met !== chat.ticket) {
      this.met = chat.ticket;
      this.markUnread();
    }
    this.tellPage();
    panel.tell();
  }

  private markUnread(): void {
    const { chat } = this;
    this.unreadAfter = chat?.info && unreadCount(chat) ? (chat.reads[chat.info.me] ?? 0) : undefined;
  }

  private tellPage(): void {
    const { chat, told, ended, panel } = this;
    const unread = chat && !panel.shown ? unreadCount(chat) : 0;
    const live = Boolean(chat) && !ended;
    const ticket = chat?.ticket;
    if (unread !== told.unread) panel.page.tell({ chat: "unread", count: unread });
    if (live !== told.live) panel.page.tell({ chat: "live", live });
    if (ticket && ticket !== told.ticket) panel.page.tell({ chat: "event", name: "ticket", ticket });
    if (ticket && ended && !told.ended) panel.page.tell({ chat: "event", name: "ended", ticket });
    this.told = { ...told, unread, live, ticket, ended };
  }
}
