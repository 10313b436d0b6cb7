/** Every word of the inbox. */

import { duration, plural, shortTime } from "../client/format";
import type { Problem } from "./state";

export const texts = {
  form: {
    title: "Read your chat again",
    intro: "Enter the ticket number and the access code that you saw in the chat.",
    ticket: "Ticket number",
    ticketHint: "For example #100009",
    code: "Access code",
    codeHint: "10 letters and digits, with or without spaces",
    open: "Open the transcript",
    opening: "Opening …",
    ticketMissing: "Enter the ticket number.",
    codeMissing: "Enter the access code.",
    lost: "The code was shown in the chat, beside the ticket number.",
    own: "Back to your chats",
    ownFromChat: "To see all your chats, open this page from the chat window.",
  },
  own: {
    title: "Your chats",
    byCode: "Open another chat with its access code",
    search: "Search your chats",
    hint: "Words, “a phrase”, -without, order:112-7788 or after:2026-03",
    loading: "Loading your chats",
    open: "Open",
    count: (count: number, more: boolean, searched: boolean) =>
      more ? `The first ${count} chats` : plural(count, searched ? { one: "# chat found", other: "# chats found" } : { one: "# chat", other: "# chats" }),
    meant: "Did you mean",
    none: "You have no chats yet.",
    noneHint: "What you write in the chat window will be here.",
    nothingFound: "None of your chats has this.",
    nothingFoundHint: "Try other words, or fewer of them.",
    more: "Show more",
    loadingMore: "Loading …",
    slower: "That was a lot of searches in a short time. Wait a minute and try again.",
    missing: "This chat is not there, or not one of yours.",
    unreachable: "We couldn't reach the server. Check your connection and try again.",
    linkOver: "That link was good for one time only. Open your chats from the chat window again, or one chat with its access code.",
    over: "For your safety your chats were open for twelve hours. Open them from the chat window again.",
  },
  loading: "Opening the transcript",
  loadingMore: "Loading the rest …",
  title: (ticket: number) => `Ticket #${ticket}`,
  pageTitle: (ticket: number, site: string) => `Ticket #${ticket} · ${site}`,
  formTitle: "Your chat transcript",
  facts: { topic: "Topic", order: "Order", product: "Product", department: "Department", agent: "Answered by", customer: "Customer", time: "Time", rating: "Your rating" },
  nobodyYet: "Nobody yet",
  noTopic: "Chat without a topic",
  zone: (zone: string) => `Times are in ${zone}.`,
  ratingOf: (rating: number) => `${rating} of 5`,
  until: (from: string, to: string) => `${from} – ${to}`,
  stillOpen: (from: string) => `${from} – still open`,
  sealed: "Sealed",
  sealedWhy: (at: string) => `Signed on ${at}. Any later change to this transcript would show; the downloaded file carries the proof.`,
  notSealed: "Not sealed yet",
  notSealedOpen: "The chat is still open. It is sealed when it closes.",
  notSealedClosed: "The chat has just closed. The seal follows within a few minutes.",
  refresh: "Refresh",
  find: "Find in this transcript",
  findNext: "Next hit",
  findPrevious: "Previous hit",
  found: (total: number) => plural(total, { one: "# hit", other: "# hits" }),
  hits: (number: number, total: number) => (total === 0 ? "No hits" : `${number} of ${total}`),
  print: "Print",
  download: "Download",
  format: "Format of the download",
  formats: { html: "Web page with proof", pdf: "PDF with proof", txt: "Text", eml: "Mail with proof", json: "Data with proof" },
  verify: "Check a downloaded file",
  downloading: "Downloading …",
  downloadFailed: "We couldn't download the file. Try again.",
  leave: "Use another ticket",
  accesses: {
    title: (count: number) => (count === 1 ? "This transcript was opened once" : `This transcript was opened ${count} times`),
    customer: "By you, or with the access code",
    staff: "By our staff",
    download: "downloaded",
  },
  empty: "Nothing has been written in this chat yet.",
  retry: "Try again",
  problemRest: "We couldn't load the rest of this transcript.",
} as const;

export function problemText(problem: Problem, now: number): string {
  switch (problem.kind) {
    case "wrong":
      return "We found no transcript for this ticket number and access code. Check both and try again.";
    case "wait":
      return `Too many tries for this ticket. Try again at ${shortTime(problem.until)}, in ${duration(Math.max(0, problem.until - now))}.`;
    case "expired":
      return "For your safety a transcript stays open for one hour. Enter the access code to open it again.";
    case "offline":
      return "We couldn't reach the server. Check your connection and try again.";
    case "server":
      return "The server couldn't answer just now. Try again in a minute.";
  }
}
