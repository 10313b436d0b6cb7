/** Every word of the console. */

import { duration, plural, shortTime } from "../client/format";
import type { Refusal } from "./session/session";

export const texts = {
  product: "Console",
  loading: "Loading the console",
  unreachable: "We couldn't reach the server.",
  retry: "Try again",

  signIn: {
    title: "Sign in to the console",
    email: "Email",
    password: "Password",
    submit: "Sign in",
    busy: "Signing in …",
    told: {
      "signed-out": "You are signed out.",
      ended: "Your session has ended. Sign in again.",
      "set-up-over": "This set-up link is used up. Sign in with the account that was made.",
    },
    missing: "Enter your email and your password.",
  },
  setup: {
    title: "Make the first account",
    intro: "You will be the administrator. More agents are added on the command line.",
    name: "Name",
    nameHint: "Customers see it beside your answers.",
    email: "Email",
    password: "Password",
    passwordHint: "At least 10 characters.",
    submit: "Make the account",
    busy: "Making the account …",
    nameMissing: "Enter your name.",
    emailWrong: "Enter an email address.",
    passwordShort: "Use at least 10 characters.",
  },

  rail: { desk: "Chats", search: "Search", keys: "Keys", signOut: "Sign out", label: "Console" },
  lists: {
    waiting: "Waiting",
    mine: "My chats",
    nobodyWaits: "Nobody is waiting.",
    noChats: "You have no open chats.",
    noDepartments: "You are in no department, so no queue is yours. An administrator can add you to one.",
    take: "Take",
    taking: "Taking …",
    takenBy: (name: string) => `${name} took it`,
    left: "No longer waiting",
    longest: "Longest wait",
    waits: "Waits for",
    draft: (text: string) => `Draft: ${text}`,
    more: (count: number) => plural(count, { one: "# more is waiting.", other: "# more are waiting." }),
  },
  unread: (count: number) => plural(count, { one: "# new", other: "# new" }),
  anonymous: "Visitor",
  verified: "verified",
  unverified: "unverified",
  unverifiedWhy: "The name was typed in, nobody has checked it.",
  verifiedWhy: "The shop has signed who this is.",
  noTopic: "No topic",

  announce: {
    waiting: (who: string, topic: string) => `New chat waiting: ${who}, ${topic}`,
    message: (who: string) => `New message from ${who}`,
    taken: (who: string) => `You took the chat of ${who}`,
    closed: "The chat is closed",
  },
  pageTitle: (waiting: number, unread: number) =>
    [unread > 0 ? `${unread} new` : "", waiting > 0 ? `${waiting} waiting` : "", "Console"].filter(Boolean).join(" · "),

  banner: {
    connecting: "Connecting …",
    waiting: "The connection was lost. Reconnecting …",
    blocked: "Something between you and the server blocks WebSockets. Still trying.",
    offline: "You are offline. What you write is sent when you are back.",
    now: "Connect now",
    stopped: "The connection was ended.",
    reload: "Reload",
  },

  chat: {
    none: "Choose a chat",
    noneWaiting: (count: number) => plural(count, { one: "# customer is waiting.", other: "# customers are waiting." }),
    noneKey: "takes the oldest",
    loading: "Loading the chat",
    missing: "This chat is not there, or not yours.",
    back: "Back to the lists",
    entries: "Chat",
    details: "Customer",
    states: { queued: "Waiting", active: "Open", waiting: "Waiting for an answer", closing: "Closed", closed: "Closed" },
    owner: (name: string) => `Open, with ${name}`,
    yours: "Open, yours",
    typing: (names: string) => `${names} is typing …`,
    jump: "Jump to the latest",
    newBelow: (count: number) => plural(count, { one: "# new message", other: "# new messages" }),
    newMark: "New",
    note: "Note",
    onlyAgents: "only agents see it",
    preview: "This chat waits in the queue. Take it to answer.",
    others: (name: string) => `${name} answers this chat. You can leave a note.`,
    closedText: (how: string) => `${how} It can be read, not written to.`,
    closedBy: { agent: "Closed by the agent.", customer: "Closed by the customer.", other: "This chat is closed." },
    done: "Take off the list",
    transcript: "Open the transcript",
    you: "You",
    status: { sending: "Sending", sent: "Sent", stored: "Stored", read: "Read by the customer", failed: "Not sent" },
    failed: "We couldn't send this.",
    failedWhy: {
      chat_closed: "The chat was closed.",
      too_big: "It is too long.",
      stale_gen: "Another agent owns the chat now.",
      not_found: "The chat is no longer yours.",
    } as Readonly<Record<string, string>>,
    resend: "Try again",
    discard: "Discard",
  },
  composer: {
    message: "Message",
    note: "Note",
    messageLabel: "Write to the customer",
    noteLabel: "Write a note, only agents see it",
    send: "Send",
    addNote: "Add note",
    left: (count: number) => plural(count, { one: "# character left", other: "# characters left" }),
    tooLong: (count: number) => plural(count, { one: "# character too many", other: "# characters too many" }),
    mode: "What you write",
    hint: "Enter sends, Shift Enter starts a new line",
  },
  close: {
    button: "Close chat",
    question: "Close this chat?",
    explain: "The customer can still read it, and can start a new one.",
    yes: "Close chat",
    no: "Keep it open",
    failed: "We couldn't close the chat.",
  },
  take: {
    gone: (owner: string) => `${owner} was quicker.`,
    left: "This chat no longer waits.",
    failed: "We couldn't take the chat. Try again.",
    none: "Nobody is waiting.",
    offline: "You can take chats when you are connected again.",
  },

  customer: {
    title: "Customer",
    name: "Name",
    ticket: "Ticket",
    order: "Order",
    product: "Product",
    topic: "Topic",
    department: "Department",
    page: "Page",
    opened: "Opened",
    accepted: "Taken",
    rating: "Rating",
    rated: (rating: number) => `${rating} of 5`,
    regarding: "Regarding",
    earlier: "Earlier chats",
    earlierWhy: "Found by order number, and by name where it is verified.",
    noEarlier: "None found.",
    earlierFailed: "We couldn't look for earlier chats.",
    close: "Close",
  },

  search: {
    title: "Search transcripts",
    label: "Search transcripts",
    placeholder: "Words, order:112-7788231 …",
    empty: "No transcript has all of this.",
    emptyHint: "Try fewer words, or a word with * at its end.",
    nothing: "There are no transcripts yet.",
    newest: "Newest first",
    results: (count: number, more: boolean) => (more ? `The first ${count}` : plural(count, { one: "# transcript", other: "# transcripts" })),
    more: "Show more",
    loadingMore: "Loading …",
    loading: "Searching",
    failed: "The search failed.",
    choose: "Choose a transcript to read it here.",
    help: "How to search",
    helpRows: [
      ["kettle dented", "both words, in any form"],
      ['"on its way"', "these words, in this order"],
      ["deliver*", "words that begin like this"],
      ["-refund", "without this word"],
      ["order:112-7788231", "also ticket: product: topic: department:"],
      ['agent:"Ann Lee"', "also customer: rating:"],
      ["from:customer parcel", "what the customer wrote, or from:agent"],
      ["after:2026-01-31", "also before: on:, the day included"],
    ] as readonly (readonly [string, string])[],
  },
  transcript: {
    title: (ticket: number) => `Transcript #${ticket}`,
    back: "Back to the results",
    loading: "Loading the transcript",
    missing: "This transcript is not there, or not yours.",
    failed: "We couldn't load the transcript.",
    rest: "We couldn't load the rest.",
    sealed: "Sealed",
    sealedWhy: (at: string) => `Signed ${at}. The downloaded file proves that nothing was changed since.`,
    notSealed: "Not sealed yet",
    download: "Download with proof",
    downloading: "Downloading …",
    downloadFailed: "We couldn't download the file. Try again.",
    print: "Print",
    openChat: "Open the chat",
    answeredBy: "Agent",
    time: "Time",
    accesses: "Opened by",
    nobody: "Nobody",
    stillOpen: (from: string) => `${from} – still open`,
    hits: (count: number) => plural(count, { one: "# hit", other: "# hits" }),
  },
  keys: {
    title: "Keys",
    close: "Close",
    rows: [
      ["Alt A", "Take the oldest waiting chat"],
      ["Alt J", "Next chat of mine"],
      ["Alt K", "Previous chat of mine"],
      ["Alt N", "Message or note"],
      ["Alt E", "Close the chat"],
      ["Ctrl /", "Search transcripts"],
      ["Esc", "Back to the lists"],
      ["Enter", "Send"],
      ["Shift Enter", "New line"],
      ["?", "This list"],
    ] as readonly (readonly [string, string])[],
  },
} as const;

export function refusalText(refusal: Refusal, now: number): string {
  switch (refusal.kind) {
    case "wrong":
      return "Email or password is wrong.";
    case "wait":
      return `Too many tries. Try again at ${shortTime(refusal.until)}, in ${duration(Math.max(0, refusal.until - now))}.`;
    case "link":
      return "This set-up link is no longer valid. Start the server again for a new one.";
    case "invalid":
      return refusal.message;
    case "offline":
      return "We couldn't reach the server. Check your connection and try again.";
    case "server":
      return "The server couldn't answer just now. Try again in a minute.";
  }
}
