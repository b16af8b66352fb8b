import { isIP } from 'node:net';

/*
 * What numbers say of themselves. Each takes a match as it was written, spaces and dashes included.
 */

const NO_DIGITS = /\D+/g;

export function digitsOf(text: string): string {
  return text.replace(NO_DIGITS, '');
}

/** ISO/IEC 7812: payment cards, also Canadian SIN, Swedish personnummer and more. */
export function luhn(text: string): boolean {
  const digits = digitsOf(text);
  if (/^(\d)\1+$/.test(digits)) return false;
  let sum = 0;
  for (let at = 0; at < digits.length; at += 1) {
    const digit = Number(digits[digits.length - 1 - at]);
    const doubled = at % 2 === 1 ? digit * 2 : digit;
    sum += doubled > 9 ? doubled - 9 : doubled;
  }
  return digits.length > 1 && sum % 10 === 0;
}

/** ISO 7064 MOD 97-10, as of IBAN: the first four characters count last. */
export function iban(text: string): boolean {
  const plain = text.replace(/[ -]/g, '').toUpperCase();
  const length = IBAN_LENGTHS[plain.slice(0, 2)];
  if (length === undefined || plain.length !== length) return false;
  let rest = 0;
  for (const char of plain.slice(4) + plain.slice(0, 4)) {
    const value = Number.parseInt(char, 36);
    rest = (rest * (value > 9 ? 100 : 10) + value) % 97;
  }
  return rest === 1;
}

/** The registry of SWIFT, release 99. */
const IBAN_LENGTHS: Readonly<Record<string, number>> = Object.fromEntries(
  (
    'AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 EG29 ES24 ' +
    'FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 ' +
    'LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 RO24 ' +
    'RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30'
  )
    .split(' ')
    .map((each) => [each.slice(0, 2), Number(each.slice(2))]),
);

/** Verhoeff: Aadhaar of India. https://en.wikipedia.org/wiki/Verhoeff_algorithm */
export function verhoeff(text: string): boolean {
  let check = 0;
  for (const [at, digit] of [...digitsOf(text)].reverse().entries()) {
    check = DIHEDRAL[check]![PERMUTED[at % 8]![Number(digit)]!]!;
  }
  return check === 0;
}

const DIHEDRAL = table(
  '0123456789 1234067895 2340178956 3401289567 4012395678 5987604321 6598710432 7659821043 8765932104 9876543210',
);
const PERMUTED = table('0123456789 1576283094 5803796142 8916043527 9453126870 4286573901 2793806415 7046913258');

function table(rows: string): readonly (readonly number[])[] {
  return rows.split(' ').map((row) => [...row].map(Number));
}

/** The sum of the digits, each times its weight. */
export function weighted(digits: string, weights: readonly number[]): number {
  return weights.reduce((sum, weight, at) => sum + weight * Number(digits[at]), 0);
}

/** Whether this is an address, and not a time of day. */
export function isIpv6(text: string): boolean {
  return isIP(text) === 6 && (text.includes('::') || text.split(':').length === 8);
}
