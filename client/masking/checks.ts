/** Check digits: Luhn (ISO/IEC 7812-1), Verhoeff, ISO/IEC 7064 mod 97-10, EAN. */

export function passesLuhn(digits: string): boolean {
  let sum = 0;
  for (let place = 0; place < digits.length; place++) {
    const digit = Number(digits[digits.length - 1 - place]);
    sum += place % 2 ? (digit > 4 ? 2 * digit - 9 : 2 * digit) : digit;
  }
  return sum % 10 === 0;
}

export const isEan13 = (digits: string): boolean =>
  digits.length === 13 && [...digits].reduce((sum, digit, place) => sum + Number(digit) * (place % 2 ? 3 : 1), 0) % 10 === 0;

/** The dihedral group of ten: 0 … 4 turn, 5 … 9 turn over. */
const times = (a: number, b: number): number => {
  if (a < 5) return b < 5 ? (a + b) % 5 : ((a + b) % 5) + 5;
  return b < 5 ? ((a - b) % 5) + 5 : (a - b + 5) % 5;
};

const SHUFFLE = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4];

export function passesVerhoeff(digits: string): boolean {
  let sum = 0;
  for (let place = 0; place < digits.length; place++) {
    let digit = Number(digits[digits.length - 1 - place]);
    for (let turn = place % 8; turn > 0; turn--) digit = SHUFFLE[digit]!;
    sum = times(sum, digit);
  }
  return sum === 0;
}

/** Letters count from a = 10. */
export function passesMod97(number: string): boolean {
  let rest = 0;
  for (const char of number) rest = Number(`${rest}${parseInt(char, 36)}`) % 97;
  return rest === 1;
}
