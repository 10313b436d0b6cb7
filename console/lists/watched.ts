/** A topic with a version: a snapshot, and the events that follow it without a hole. */

export interface Watched<State> {
  readonly version: number;
  readonly state: State;
}

export type Step<State> =
  | { readonly kind: "applied"; readonly watched: Watched<State> }
  | { readonly kind: "known" } // it is in the snapshot already
  | { readonly kind: "hole" }; // an event is missing: watch again

export function step<State, Event extends { version: number }>(
  watched: Watched<State>,
  event: Event,
  apply: (state: State, event: Event) => State,
): Step<State> {
  if (event.version <= watched.version) return { kind: "known" };
  if (event.version !== watched.version + 1) return { kind: "hole" };
  return { kind: "applied", watched: { version: event.version, state: apply(watched.state, event) } };
}
