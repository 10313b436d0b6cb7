// @vitest-environment happy-dom
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { textOn } from "./color";
import { accept } from "./messages";

const SERVER = "https://chat.example";

type ChatCall = (name: string, ...args: unknown[]) => Promise<any>;
const Chat: ChatCall = (...args) => (window as unknown as { Chat: ChatCall }).Chat(...args);

/** Loads widget.js as a page's script tag does. happy-dom fetches no frames: the test says what the panel says. */
async function load(data: Record<string, string> = {}): Promise<void> {
  const script = document.createElement("script");
  script.setAttribute("src", `${SERVER}/widget.js`);
  Object.assign(script.dataset, { site: "default", ...data });
  Object.defineProperty(document, "currentScript", { value: script, configurable: true });
  vi.resetModules();
  await import("./embed");
  await Promise.resolve(); // it waits for the body
}

const host = () => [...document.body.children].find((element) => element.shadowRoot);
const find = <E extends HTMLElement>(selector: string) => host()?.shadowRoot?.querySelector<E>(selector) ?? undefined;
const frame = () => find<HTMLIFrameElement>("iframe");

/** The panel's window, as far as the loader may use it. */
const post = vi.fn();
const panelWindow = { postMessage: post };

/** A message as the browser would deliver it. */
function say(data: object, { origin = SERVER, source = panelWindow }: { origin?: string; source?: unknown } = {}) {
  const event = new Event("message");
  Object.assign(event, { data, origin, source });
  dispatchEvent(event);
}

beforeEach(() => {
  post.mockClear();
  vi.spyOn(HTMLIFrameElement.prototype, "src", "set").mockImplementation(function (this: HTMLIFrameElement, value) {
    this.setAttribute("data-src", value);
  });
  vi.spyOn(HTMLIFrameElement.prototype, "contentWindow", "get").mockReturnValue(panelWindow as unknown as Window);
  vi.useFakeTimers();
  vi.spyOn(console, "error").mockImplementation(() => {});
  vi.stubGlobal("fetch", vi.fn(async () => Response.json({ explanation: "Site default does not allow this page." })));
});

afterEach(async () => {
  if ("Chat" in window) await Chat("destroy");
  delete (window as { Chat?: unknown }).Chat;
  sessionStorage.clear();
  vi.restoreAllMocks();
  vi.useRealTimers();
});

describe("the bubble", () => {
  it("asks for nothing and stores nothing until somebody opens it", async () => {
    await load();
    expect(find("button")?.getAttribute("aria-label")).toBe("Open chat");
    expect(frame()).toBeUndefined();
    expect(fetch).not.toHaveBeenCalled();
    expect(sessionStorage.length + localStorage.length).toBe(0);
    expect(document.cookie).toBe("");
  });

  it("opens the panel from the script's own origin, and closes it", async () => {
    await load();
    find("button")?.click();
    expect(frame()?.dataset.src).toBe(`${SERVER}/widget/frame?site=default`);
    expect(frame()?.title).toBe("Chat");
    expect(find("button")?.getAttribute("aria-expanded")).toBe("true");
    find("button")?.click();
    expect(find("#panel")?.hidden).toBe(true);
  });

  it("shows how many messages are unread", async () => {
    await load();
    await Chat("open");
    await Chat("close");
    say({ chat: "unread", count: 12 });
    expect(find("#badge")?.textContent).toBe("9+");
    expect(find("button")?.getAttribute("aria-label")).toBe("Open chat, 12 unread");
  });

  it("can be a button of the page", async () => {
    document.body.insertAdjacentHTML("beforeend", '<button id="help"><b>Help</b></button>');
    await load({ launcher: "#help" });
    expect(find("button")?.hidden).toBe(true);
    document.querySelector<HTMLElement>("#help b")?.click();
    expect(frame()).toBeDefined();
    document.querySelector("#help")?.remove();
  });

  it("comes back open on the next page while a chat goes on", async () => {
    await load();
    await Chat("open");
    say({ chat: "live", live: true });
    expect(sessionStorage.getItem("chat.widget")).toBe("open");
    await Chat("close");
    expect(sessionStorage.getItem("chat.widget")).toBe("closed");
    say({ chat: "live", live: false });
    expect(sessionStorage.length).toBe(0);
  });
});

describe("messages between the page and the panel", () => {
  it("count only from the panel's window at the panel's origin", async () => {
    await load();
    await Chat("open");
    const unread = vi.fn();
    await Chat("on", "unread", unread);
    say({ chat: "unread", count: 1 }, { origin: "https://evil.example" });
    say({ chat: "unread", count: 1 }, { source: window });
    say({ chat: "unread", count: 1 }, { source: null });
    expect(unread).not.toHaveBeenCalled();
    say({ chat: "unread", count: 1 });
    expect(unread).toHaveBeenCalledExactlyOnceWith({ count: 1 });
  });

  it("are posted to the panel's origin by name", async () => {
    await load({ topic: "Returns", locale: "de-AT" });
    await Chat("open");
    frame()?.onload?.(new Event("load"));
    say({ chat: "ready" });
    expect(post.mock.calls.map(([message, origin]) => [message.chat, origin])).toEqual([["hello", SERVER], ["shown", SERVER]]);
    expect(post.mock.calls[0]?.[0].options).toMatchObject({ topic: "Returns", locale: "de-AT" });
  });

  it("are accepted from one window and one origin", () => {
    const source = {};
    const event = { origin: SERVER, source, data: { chat: "ready" } };
    expect(accept(event, source, SERVER)).toEqual({ chat: "ready" });
    expect(accept(event, {}, SERVER)).toBeUndefined();
    expect(accept(event, undefined, SERVER)).toBeUndefined();
    expect(accept({ ...event, source: undefined }, undefined, SERVER)).toBeUndefined();
    expect(accept(event, source, "https://chat.example.evil")).toBeUndefined();
    expect(accept({ ...event, data: "ready" }, source, SERVER)).toBeUndefined();
    expect(accept({ ...event, data: null }, source, SERVER)).toBeUndefined();
  });
});

describe("a panel that stays blank", () => {
  it("is explained on the page and in the console", async () => {
    await load();
    const error = vi.fn();
    await Chat("on", "error", error);
    await Chat("open");
    await vi.advanceTimersByTimeAsync(6_000);
    expect(fetch).toHaveBeenCalledWith(`${SERVER}/api/v1/widget-problems`, expect.objectContaining({ method: "POST", credentials: "omit" }));
    expect(console.error).toHaveBeenCalledWith("Chat: Site default does not allow this page.");
    expect(error).toHaveBeenCalledWith({ problem: "no_frame", explanation: "Site default does not allow this page." });
    expect(find("[role=alert]")?.textContent).toContain("not available");
  });

  it("says which directive of the page blocks it", async () => {
    await load();
    await Chat("open");
    document.dispatchEvent(Object.assign(new Event("securitypolicyviolation", { bubbles: true }), { blockedURI: `${SERVER}/widget/frame`, effectiveDirective: "frame-src" }));
    await vi.advanceTimersByTimeAsync(0);
    expect(console.error).toHaveBeenCalledWith(`Chat: The Content-Security-Policy of this page blocks ${SERVER}: add it to frame-src.`);
  });

  it("is forgotten when the panel answers after all", async () => {
    await load();
    await Chat("open");
    await vi.advanceTimersByTimeAsync(6_000);
    say({ chat: "ready" });
    expect(find("[role=alert]")).toBeUndefined();
  });

  it("is not reported when the panel answers in time", async () => {
    await load();
    await Chat("open");
    say({ chat: "ready" });
    await vi.advanceTimersByTimeAsync(10_000);
    expect(fetch).not.toHaveBeenCalled();
  });
});

describe("Chat()", () => {
  it("runs what was called before the script came", async () => {
    const queue: unknown[] = [];
    const opened = new Promise((resolve, reject) => queue.push([["open"], resolve, reject]));
    (window as any).Chat = Object.assign(() => {}, { q: queue });
    await load();
    await opened;
    expect(frame()).toBeDefined();
  });

  it("gives a way to stop listening", async () => {
    await load();
    const listener = vi.fn();
    const off = await Chat("on", "open", listener);
    await Chat("open");
    off();
    await Chat("close");
    await Chat("open");
    expect(listener).toHaveBeenCalledTimes(1);
  });

  it("refuses calls it does not know", async () => {
    await load();
    await expect(Chat("fly")).rejects.toThrow('there is no call "fly"');
  });

  it("boots once, however often the script is there", async () => {
    await load();
    await load();
    await Chat("boot", {});
    expect([...document.body.children].filter((element) => element.shadowRoot)).toHaveLength(1);
  });

  it("destroys everything, and can be booted again", async () => {
    await load();
    await Chat("open");
    await Chat("destroy");
    expect(host()).toBeUndefined();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(fetch).not.toHaveBeenCalled();
    await Chat("boot");
    expect(host()).toBeDefined();
  });

  it("hides and shows the bubble", async () => {
    await load();
    await Chat("hide");
    expect(find("button")?.hidden).toBe(true);
    await Chat("show");
    expect(find("button")?.hidden).toBe(false);
  });
});

describe("text on a site's colour", () => {
  it.each([["#0b6b6b", "#fff"], ["#ffd400", "#000"], ["#fff", "#000"], ["#000", "#fff"], ["#c2410c", "#fff"], ["red", undefined], ["#12345", undefined], ["", undefined]])("%s is %s", (color, ink) => {
    expect(textOn(color)).toBe(ink);
  });
});
