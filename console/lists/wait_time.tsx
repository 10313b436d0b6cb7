import { fullTime, stopwatch } from "../../client/format";
import { texts } from "../texts";

/** From here on a wait is shown as long, and as too long. */
const WARN_MS = 2 * 60_000;
const LATE_MS = 5 * 60_000;

export interface WaitTimeProps {
  since: number;
  now: number;
  label?: string;
}

/** Ticks for the eye only; a screen reader reads it when it comes by. */
export function WaitTime({ since, now, label = texts.lists.waits }: WaitTimeProps) {
  const waited = now - since;
  const level = waited >= LATE_MS ? "late" : waited >= WARN_MS ? "long" : "";
  return (
    <span class={`wait ${level}`} title={`${label}, ${fullTime(since)}`}>
      <span class="visually-hidden">{label} </span>
      {stopwatch(waited)}
    </span>
  );
}
