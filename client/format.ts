/** Times, numbers and tickets as people read them. The language is that of the page (`<html lang>`) unless one is given. */

const formats = new Map<string, Intl.DateTimeFormat>();

export const pageLocale = (): string => document.documentElement.lang || navigator.language;

function date(at: number, options: Intl.DateTimeFormatOptions, locale = pageLocale()): string {
  const name = `${locale} ${JSON.stringify(options)}`;
  let format = formats.get(name);
  if (!format) formats.set(name, (format = new Intl.DateTimeFormat(locale, options)));
  // "5:12 PM" stays on one line.
  return format.format(at).replace(/(\d)\s(?=[ap]\.?\s?m\b)/i, "$1\u00a0");
}

/** 14:02 */
export const shortTime = (at: number, locale?: string) => date(at, { timeStyle: "short" }, locale);

/** Sunday, 22 November 2026 */
export const longDay = (at: number, locale?: string) => date(at, { dateStyle: "full" }, locale);

/** 22 Nov 2026, 14:02 */
export const dayTime = (at: number, locale?: string) => date(at, { dateStyle: "medium", timeStyle: "short" }, locale);

/** 22 November 2026 at 14:02:31 CET */
export const fullTime = (at: number, locale?: string) => date(at, { dateStyle: "long", timeStyle: "long" }, locale);

/** Europe/Berlin */
export const zoneName = () => new Intl.DateTimeFormat().resolvedOptions().timeZone;

const calendarDay = (at: number) => new Date(at).setHours(0, 0, 0, 0);

export const sameDay = (a: number, b: number) => calendarDay(a) === calendarDay(b);

/** "today", "yesterday", then the date. */
export function dayLabel(at: number, now = Date.now(), locale = pageLocale()): string {
  const days = Math.round((calendarDay(at) - calendarDay(now)) / 86_400_000);
  if (days === 0 || days === -1) return new Intl.RelativeTimeFormat(locale, { numeric: "auto" }).format(days, "day");
  const sameYear = new Date(at).getFullYear() === new Date(now).getFullYear();
  return date(at, { weekday: "long", day: "numeric", month: "long", year: sameYear ? undefined : "numeric" }, locale);
}

const UNITS: [Intl.RelativeTimeFormatUnit, number][] = [
  ["day", 86_400_000],
  ["hour", 3_600_000],
  ["minute", 60_000],
];

/** "3 minutes ago", "in 2 hours"; "now" within a minute; the date after a week. */
export function relativeTime(at: number, now = Date.now(), locale = pageLocale()): string {
  const distance = at - now;
  if (Math.abs(distance) > 7 * 86_400_000) return date(at, { dateStyle: "medium" }, locale);
  const format = new Intl.RelativeTimeFormat(locale, { numeric: "auto" });
  for (const [unit, length] of UNITS) {
    if (Math.abs(distance) >= length) return format.format(Math.trunc(distance / length), unit);
  }
  return format.format(0, "second");
}

/** "12 minutes": the largest unit that fits, rounded up, so a wait is never promised too short. */
export function duration(ms: number, locale = pageLocale()): string {
  const [unit, length] = UNITS.find(([, size]) => ms >= size) ?? ["second", 1_000];
  return new Intl.NumberFormat(locale, { style: "unit", unit, unitDisplay: "long" }).format(Math.ceil(ms / length));
}

/** 04:12, or 1:04:12: how long somebody has waited. */
export function stopwatch(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1_000));
  const [hours, minutes] = [Math.floor(seconds / 3_600), Math.floor(seconds / 60) % 60];
  const tail = [minutes, seconds % 60].map((part) => String(part).padStart(2, "0")).join(":");
  return hours ? `${hours}:${tail}` : tail;
}

/** Picks the form for a number: `plural(2, {one: "# message", other: "# messages"})` is "2 messages". */
export function plural(count: number, forms: Partial<Record<Intl.LDMLPluralRule, string>> & { other: string }, locale = pageLocale()): string {
  const form = forms[new Intl.PluralRules(locale).select(count)] ?? forms.other;
  return form.replace("#", new Intl.NumberFormat(locale).format(count));
}

/** #123456 */
export const formatTicket = (ticket: number) => `#${ticket}`;

/** An English page follows the reader's own English where the browser names one: 16:48 in en-GB, 4:48 PM in en-US. */
export function adoptRegion(): void {
  const language = document.documentElement.lang;
  const own = navigator.languages.find((one) => one.startsWith(`${language}-`));
  if (own !== undefined) document.documentElement.lang = own;
}
