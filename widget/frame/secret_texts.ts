/** What the panel says of secrets; apart from `texts.ts`, because it is needed only once somebody writes. */

const KINDS: Record<string, string> = {
  card: "card number",
  iban: "IBAN",
  account: "bank account",
  ssn: "social security number",
  nino: "National Insurance number",
  sin: "social insurance number",
  aadhaar: "Aadhaar number",
  password: "password",
  pin: "PIN",
  code: "one-time code",
};

const names = (kinds: readonly string[]): string => [...new Set(kinds.map((kind) => KINDS[kind] ?? "private number"))].join(", ");

export const secretTexts = {
  hidden: (kinds: readonly string[]) => `Hidden before it is sent: ${names(kinds)}.`,
  sent: (kinds: readonly string[]) => `Sent as it is: ${names(kinds)}.`,
  keep: "Send as it is",
  hide: "Hide it",
};
