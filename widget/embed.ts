/**
 * /widget.js: the chat's bubble on somebody else's page. Until a person opens it there is no cookie, nothing stored and no
 * request; then an iframe from our own origin holds the panel. Styles are a constructed sheet in a shadow root, so a strict
 * Content-Security-Policy of the page needs no exception for them.
 */

import { textOn } from "./color";
import { accept, type ChatEvents, type ToLoader, type ToPanel } from "./messages";
import css from "./embed.css?inline";

interface Settings {
  site?: string;
  position?: string;
  locale?: string;
  launcher?: string;
  topic?: string;
  color?: string;
  label?: string;
  open?: string | boolean;
}

type Listener = (detail?: unknown) => void;
type Call = [args: unknown[], resolve: (value: unknown) => void, reject: (error: Error) => void];
type ChatGlobal = ((name: string, ...args: unknown[]) => Promise<unknown>) & { q?: Call[]; v?: 1 };

/** A frame that has not answered by then is blocked, or its address is wrong. */
const READY_MS = 6_000;
const MEMORY = "chat.widget";

const script = document.currentScript as HTMLScriptElement;
const { origin } = new URL(script.src);
const scope = window as unknown as { Chat?: ChatGlobal };

let settings: Settings = {};
let host: HTMLElement | undefined;
let bubble: HTMLButtonElement;
let badge: HTMLElement;
let panel: HTMLElement;
let frame: HTMLIFrameElement | undefined;
let ready = false;
let isOpen = false;
let unread = 0;
let blockedBy = "";
let timer: ReturnType<typeof setTimeout> | undefined;
let stop: AbortController;
const listeners = new Map<string, Set<Listener>>();

const commands: Record<string, (...args: any[]) => unknown> = {
  boot,
  open: () => setOpen(true),
  close: () => setOpen(false),
  toggle: () => setOpen(!isOpen),
  show: () => setBubble(true),
  hide: () => setBubble(false),
  destroy,
  on(name: keyof ChatEvents, listener: Listener) {
    const all = listeners.get(name) ?? new Set();
    listeners.set(name, all.add(listener));
    if (name === "ready" && ready) listener();
    return () => all.delete(listener);
  },
};

/** A script in the head may run before there is a body to put the bubble in. */
const page = new Promise<unknown>((resolve) => {
  if (document.body) resolve(0);
  else addEventListener("DOMContentLoaded", resolve);
});

async function Chat(name: string, ...args: unknown[]): Promise<unknown> {
  const command = commands[name];
  if (!command) throw new Error(`Chat: there is no call "${name}".`);
  await page;
  if (!host && !["boot", "on", "destroy"].includes(name)) boot();
  return command(...args);
}

function emit<E extends keyof ChatEvents>(name: E, detail?: ChatEvents[E]): void {
  for (const listener of listeners.get(name) ?? []) listener(detail);
}

// ---- the bubble ------------------------------------------------------------------------------------------------------------

function element<T extends keyof HTMLElementTagNameMap>(tag: T, attributes: Record<string, string>, parent: Node): HTMLElementTagNameMap[T] {
  const made = document.createElement(tag);
  for (const name in attributes) made.setAttribute(name, attributes[name] as string);
  parent.appendChild(made);
  return made;
}

function boot(more?: Settings): void {
  settings = { ...settings, ...more };
  if (host) return;
  host = element("div", { class: settings.position === "left" ? "left" : "" }, document.body);
  const root = host.attachShadow({ mode: "open" });
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(css);
  root.adoptedStyleSheets = [sheet];
  const { color = "", label, launcher } = settings;
  const ink = textOn(color);
  if (ink) {
    host.style.setProperty("--accent", color);
    host.style.setProperty("--on-accent", ink);
  }
  panel = element("div", { id: "panel", hidden: "" }, root);
  bubble = element("button", { type: "button", "aria-haspopup": "dialog", "aria-controls": "panel" }, root);
  if (label) element("span", { id: "label" }, bubble).textContent = label;
  const svg = bubble.appendChild(document.createElementNS("http://www.w3.org/2000/svg", "svg"));
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  for (const d of ["M12 4C7 4 3 7.4 3 11.5c0 2.2 1.1 4.1 2.9 5.5L5 20.5l4-1.8c.9.2 2 .3 3 .3 5 0 9-3.400 9-7.500S17 4 12 4z", "m6 9 6 6 6-6"]) {
    svg.appendChild(document.createElementNS(svg.namespaceURI, "path")).setAttribute("d", d);
  }
  badge = element("span", { id: "badge" }, bubble);
  bubble.onclick = () => setOpen(!isOpen);
  setBubble(!launcher || launcher === "bubble");
  stop = new AbortController();
  addEventListener("message", onMessage, stop);
  addEventListener("keydown", onKey, stop);
  addEventListener("click", onClick, stop);
  addEventListener("securitypolicyviolation", onViolation, stop);
  showState();
  const before = memory();
  if (before) load();
  if (before === "open" || String(settings.open) === "true") setOpen(true, false);
}

function showState(): void {
  bubble.setAttribute("aria-expanded", String(isOpen));
  bubble.setAttribute("aria-label", `${isOpen ? "Close chat" : settings.label || "Open chat"}${unread ? `, ${unread} unread` : ""}`);
  badge.textContent = isOpen || !unread ? "" : unread > 9 ? "9+" : String(unread);
  panel.hidden = !isOpen;
  host?.toggleAttribute("open", isOpen);
  host?.toggleAttribute("ready", ready);
}

function setBubble(shown: boolean): void {
  bubble.hidden = !shown;
  host?.toggleAttribute("bare", !shown);
}

function setOpen(open: boolean, focus = true): void {
  if (isOpen === open) return;
  isOpen = open;
  if (open) load();
  showState();
  if (memory()) memory(open ? "open" : "closed");
  if (focus) (open ? frame : bubble.hidden ? undefined : bubble)?.focus();
  if (ready) tell({ chat: "shown", shown: open, focus });
  emit(open ? "open" : "close");
}

function onKey(event: KeyboardEvent): void {
  if (event.key === "Escape" && isOpen && document.activeElement === host) setOpen(false);
}

function onClick(event: MouseEvent): void {
  const { launcher = "" } = settings;
  if (!/^[#.[]/.test(launcher) || !(event.target as Element).closest?.(launcher)) return;
  event.preventDefault();
  setOpen(!isOpen);
}

// ---- the panel -------------------------------------------------------------------------------------------------------------

function load(): void {
  if (frame) return;
  frame = element("iframe", { title: settings.label || "Chat" }, panel);
  frame.onload = () => {
    const { locale, topic, color } = settings;
    const language = locale && locale !== "auto" ? locale : document.documentElement.lang || undefined;
    tell({ chat: "hello", options: { locale: language, topic, color, page_url: location.origin + location.pathname } });
  };
  frame.src = `${origin}/widget/frame?site=${encodeURIComponent(settings.site ?? "")}`;
  timer = setTimeout(report, READY_MS);
}

function tell(message: ToPanel): void {
  frame?.contentWindow?.postMessage(message, origin);
}

function onMessage(event: MessageEvent): void {
  const message = accept<ToLoader>(event, frame?.contentWindow, origin);
  switch (message?.chat) {
    case "ready":
      ready = true;
      clearTimeout(timer);
      panel.querySelector("p")?.remove();
      panel.className = "";
      showState();
      tell({ chat: "shown", shown: isOpen, focus: document.activeElement === host });
      return emit("ready");
    case "close":
      return setOpen(false);
    case "unread":
      unread = message.count;
      showState();
      return emit("unread", { count: unread });
    case "live":
      return memory(message.live ? (isOpen ? "open" : "closed") : "");
    case "event":
      return emit(message.name, { ticket: message.ticket });
  }
}

/** Whether a chat goes on, for the next page of this tab. Written only once there is one. */
function memory(value?: string): any {
  try {
    if (value) sessionStorage.setItem(MEMORY, value);
    else if (value === "") sessionStorage.removeItem(MEMORY);
    return sessionStorage.getItem(MEMORY);
  } catch {
    return undefined; // blocked: the next page starts with a closed bubble
  }
}

// ---- when it stays blank ---------------------------------------------------------------------------------------------------

function onViolation({ blockedURI, effectiveDirective }: SecurityPolicyViolationEvent): void {
  if (!blockedURI.startsWith(origin)) return;
  blockedBy = effectiveDirective;
  if (frame && !ready) void report();
}

async function report(): Promise<void> {
  clearTimeout(timer);
  if (!panel.querySelector("p")) {
    panel.className = "blank";
    element("p", { role: "alert" }, panel).textContent = "Chat is not available here. Please try another way to reach us.";
  }
  const explanation = blockedBy
    ? `The Content-Security-Policy of this page blocks ${origin}: add it to ${blockedBy}.`
    : await explain();
  console.error(`Chat: ${explanation}`);
  emit("error", { problem: "no_frame", explanation });
}

async function explain(): Promise<string> {
  try {
    const response = await fetch(`${origin}/api/v1/widget-problems`, {
      method: "POST",
      credentials: "omit",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ site_key: settings.site ?? "", problem: "no_frame", page_origin: location.origin }),
    });
    return (await response.json()).explanation;
  } catch {
    return `${origin} does not answer, or the Content-Security-Policy of this page does not name it in connect-src.`;
  }
}

function destroy(): void {
  clearTimeout(timer);
  stop?.abort();
  host?.remove();
  memory("");
  host = frame = undefined;
  ready = isOpen = false;
  unread = 0;
  listeners.clear();
}

// ---- start -----------------------------------------------------------------------------------------------------------------

const before = scope.Chat;
// The script a second time: the one that is there already goes on.
if (!before?.v) scope.Chat = Object.assign(Chat, { v: 1 as const });
void scope.Chat?.("boot", { ...script.dataset });
for (const [args, resolve, reject] of before?.q ?? []) Chat(...(args as [string])).then(resolve, reject);
