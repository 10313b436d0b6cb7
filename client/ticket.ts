/** Ticket numbers as people type them. The last digit checks the others (Damm), so one wrong digit or two swapped ones are found. */

const TABLE = [
  "0317598642", "7092154863", "4206871359", "1750983426", "6123045978",
  "3674209581", "5869720134", "8945362017", "9438617205", "2581436790",
];

export function checkDigitFits(digits: string): boolean {
  let state = 0;
  for (const digit of digits) state = Number(TABLE[state]?.[Number(digit)]);
  return state === 0;
}

/** `#100 009` and `100009` are 100009; anything that cannot be a ticket is undefined. */
export function parseTicket(text: string): number | undefined {
  const digits = text.replace(/[\s#.-]/g, "");
  return /^[1-9]\d{5,9}$/.test(digits) && checkDigitFits(digits) ? Number(digits) : undefined;
}
