/** What the agent has begun to write, chat by chat: a message and a note each keep their own text. */

import { Cell } from "../cell";

export interface Draft {
  readonly note: boolean;
  readonly message: string;
  readonly noteText: string;
}

const EMPTY: Draft = { note: false, message: "", noteText: "" };

export class Drafts {
  readonly all = new Cell<ReadonlyMap<number, Draft>>(new Map());

  of(ticket: number): Draft {
    return this.all.get().get(ticket) ?? EMPTY;
  }

  write(ticket: number, text: string): void {
    const draft = this.of(ticket);
    this.put(ticket, draft.note ? { ...draft, noteText: text } : { ...draft, message: text });
  }

  setNote(ticket: number, note: boolean): void {
    this.put(ticket, { ...this.of(ticket), note });
  }

  private put(ticket: number, draft: Draft): void {
    this.all.update((all) => new Map(all).set(ticket, draft));
  }
}

export const textOf = (draft: Draft): string => (draft.note ? draft.noteText : draft.message);
