import { isIP } from 'node:net';
import { type Recogniser, recogniser } from '../scan/recogniser.ts';
import { digitsOf, iban, isIpv6, luhn, verhoeff, weighted } from './checksums.ts';

interface PiiRecogniser {
  readonly pattern: string;
  readonly maxCharacters?: number;
  readonly ignoreCase?: true;
  accepts?(match: string): boolean;
}

/** A number that is one only behind a word that says so: without check digits any number would be one. */
function behind(said: string, number: string): PiiRecogniser {
  return {
    pattern: `\\b(?:${said})\\b[^0-9A-Za-z]{0,8}(?:no\\.?|number|num|nr\\.?|#|is)?[^0-9A-Za-z]{0,6}${number}\\b`,
    ignoreCase: true,
  };
}

const E_MAIL = '\\b[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\\.[A-Za-z0-9-]+)+\\b';
const MONTH =
  '(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)';
const STREET =
  '(?:street|st|avenue|ave|road|rd|boulevard|blvd|lane|ln|drive|dr|court|ct|square|sq|parkway|pkwy|highway|hwy|terrace|way)';

/** Categories of the reference product that are recognised here, each with a check where the number has one. */
const PII: Readonly<Record<string, PiiRecogniser>> = {
  Email: { pattern: E_MAIL, maxCharacters: 320 },
  PhoneNumber: {
    pattern:
      '(?:\\+\\d{1,3}[ .-]?)(?:\\(?\\d{1,4}\\)?[ .-]?){2,5}\\d{2,4}\\b|(?:\\(\\d{3}\\) ?|\\b\\d{3}[ .-])\\d{3}[ .-]\\d{4}\\b',
    accepts: (text) => digitsOf(text).length >= 7 && digitsOf(text).length <= 15,
  },
  CreditCardNumber: { pattern: '\\b(?:\\d[ -]?){12,18}\\d\\b', accepts: luhn },
  InternationalBankingAccountNumber: { pattern: '\\b[A-Z]{2}\\d{2}(?:[ -]?[A-Z0-9]){11,30}\\b', accepts: iban },
  SWIFTCode: behind('swift|bic', '[A-Z]{6}[A-Z0-9]{2}(?:[A-Z0-9]{3})?'),
  IPAddress: {
    pattern: '\\b(?:\\d{1,3}\\.){3}\\d{1,3}\\b|(?:\\b[0-9A-Fa-f]{1,4}|:):[0-9A-Fa-f:.]{1,43}',
    accepts: (text) => isIP(text) === 4 || isIpv6(text),
  },
  URL: { pattern: '\\b(?:https?|ftp)://[^\\s<>"\'`]+', ignoreCase: true, maxCharacters: 2_048 },
  DateTime: {
    pattern: '\\b\\d{4}-\\d{2}-\\d{2}[T ]\\d{2}:\\d{2}(?::\\d{2}(?:\\.\\d{1,9})?)?(?:Z|[+-]\\d{2}:?\\d{2})?',
  },
  Date: {
    pattern: `\\b(?:\\d{4}-\\d{2}-\\d{2}|\\d{1,2}[/.]\\d{1,2}[/.](?:\\d{4}|\\d{2})|${MONTH}\\.? \\d{1,2}(?:st|nd|rd|th)?,? \\d{4}|\\d{1,2}(?:st|nd|rd|th)? ${MONTH}\\.?,? \\d{4})\\b`,
    ignoreCase: true,
  },
  Age: { pattern: '\\b(?:aged? \\d{1,3}|\\d{1,3}[ -]years?[ -]old|\\d{1,3} ?y/o)\\b', ignoreCase: true },
  Address: {
    pattern: `\\b\\d{1,5} (?:[A-Z][A-Za-z'.-]{0,24} ){1,4}(?i:${STREET})\\b\\.?(?:,? (?:[A-Z][A-Za-z.-]{0,24} ?){1,3},? ?[A-Z]{2} \\d{5}(?:-\\d{4})?)?`,
  },
  ABARoutingNumber: {
    pattern: '\\b(?:0\\d|1[0-2]|2[1-9]|3[0-2]|6[1-9]|7[0-2]|80)\\d{7}\\b',
    accepts: (text) => weighted(text, [3, 7, 1, 3, 7, 1, 3, 7, 1]) % 10 === 0,
  },
  USBankAccountNumber: behind('bank account|account', '\\d{8,17}'),
  USDriversLicenseNumber: behind("driver'?s? licen[sc]e|dl", '[A-Z]{0,2}\\d{6,13}'),
  USUKPassportNumber: behind('passport', '[A-Z]?\\d{8,9}'),
  USSocialSecurityNumber: {
    pattern: '\\b\\d{3}[- ]\\d{2}[- ]\\d{4}\\b',
    accepts: (text) => /^(?!000|666|9)\d{3}.(?!00)\d{2}.(?!0000)\d{4}$/.test(text),
  },
  USIndividualTaxpayerIdentification: { pattern: '\\b9\\d{2}[- ](?:5\\d|6[0-5]|7\\d|8[0-8]|9[0-24-9])[- ]\\d{4}\\b' },
  DEANumber: {
    pattern: '\\b[ABCDEFGHJKLMPRSTUX][A-Z9]\\d{7}\\b',
    accepts: (text) => {
      const digits = text.slice(2);
      return weighted(digits, [1, 2, 1, 2, 1, 2]) % 10 === Number(digits[6]);
    },
  },
  CASocialInsuranceNumber: { pattern: '\\b[1-79]\\d{2}[- ]\\d{3}[- ]\\d{3}\\b', accepts: luhn },
  UKNationalInsuranceNumber: {
    pattern: '\\b[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\\d{2} ?\\d{2} ?\\d{2} ?[A-D]\\b',
    accepts: (text) => !/^(?:BG|GB|KN|NK|NT|TN|ZZ)/.test(text),
  },
  UKNationalHealthNumber: { pattern: '\\b\\d{3}[ -]?\\d{3}[ -]?\\d{4}\\b', accepts: isNhs },
  UKUniqueTaxpayerNumber: behind('utr|unique taxpayer reference', '\\d{10}'),
  DETaxIdentificationNumber: { pattern: '\\b[1-9]\\d{10}\\b', accepts: isGermanTaxId },
  DEPassportNumber: behind('reisepass|passport|pass', '[CFGHJKLMNPRTVWXYZ0-9]{9,10}'),
  DEIdentityCardNumber: behind('personalausweis|ausweis|identity card', '[LMNPRTVWXYZ0-9]{9,10}'),
  FRSocialSecurityNumber: {
    pattern: '\\b[12] ?\\d{2} ?(?:0[1-9]|1[0-2]|[2-9]\\d) ?(?:\\d{2}|2[AB]) ?\\d{3} ?\\d{3} ?\\d{2}\\b',
    accepts: isFrenchSocialNumber,
  },
  ESDNI: {
    pattern: '\\b(?:[XYZ]\\d{7}|\\d{8})-?[A-Z]\\b',
    accepts: (text) => {
      const plain = text.replace('-', '').replace('X', '0').replace('Y', '1').replace(/^Z/, '2');
      return 'TRWAGMYFPDXBNJZSQVHLCKE'[Number(plain.slice(0, 8)) % 23] === text.at(-1);
    },
  },
  ITFiscalCode: { pattern: '\\b[A-Z]{6}\\d{2}[A-EHLMPR-T]\\d{2}[A-Z]\\d{3}[A-Z]\\b', accepts: isFiscalCode },
  NLCitizensServiceNumber: {
    pattern: '\\b\\d{9}\\b',
    accepts: (text) => text !== '000000000' && weighted(text, [9, 8, 7, 6, 5, 4, 3, 2, -1]) % 11 === 0,
  },
  BENationalNumber: {
    pattern: '\\b\\d{2}\\.?\\d{2}\\.?\\d{2}-?\\d{3}\\.?\\d{2}\\b',
    accepts: (text) => {
      const digits = digitsOf(text);
      const first = Number(digits.slice(0, 9));
      const check = Number(digits.slice(9));
      return 97 - (first % 97) === check || 97 - ((2_000_000_000 + first) % 97) === check;
    },
  },
  PLNationalID: {
    pattern: '\\b\\d{11}\\b',
    accepts: (text) => (10 - (weighted(text, [1, 3, 7, 9, 1, 3, 7, 9, 1, 3]) % 10)) % 10 === Number(text[10]),
  },
  PLREGONNumber: behind('regon', '\\d{9}'),
  SENationalID: { pattern: '\\b(?:\\d{2})?\\d{6}[-+]\\d{4}\\b', accepts: (text) => luhn(digitsOf(text).slice(-10)) },
  FINationalID: {
    pattern: '\\b\\d{6}[-+A-FU-Y]\\d{3}[0-9A-FHJ-NPR-Y]\\b',
    accepts: (text) =>
      '0123456789ABCDEFHJKLMNPRSTUVWXY'[Number(text.slice(0, 6) + text.slice(7, 10)) % 31] === text[10],
  },
  NOIdentityNumber: {
    pattern: '\\b\\d{6} ?\\d{5}\\b',
    accepts: (text) => {
      const digits = digitsOf(text);
      return (
        weighted(digits, [3, 7, 6, 1, 8, 9, 4, 5, 2, 1]) % 11 === 0 &&
        weighted(digits, [5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1]) % 11 === 0
      );
    },
  },
  DKPersonalIdentificationNumber: { pattern: '\\b(?:0[1-9]|[12]\\d|3[01])(?:0[1-9]|1[0-2])\\d{2}-\\d{4}\\b' },
  CZPersonalIdentityNumber: {
    pattern: '\\b\\d{6}/\\d{3,4}\\b',
    accepts: (text) => text.length === 10 || Number(digitsOf(text)) % 11 === 0,
  },
  ROPersonalNumericalCode: {
    pattern: '\\b[1-8]\\d{12}\\b',
    accepts: (text) => (weighted(text, [2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9]) % 11) % 10 === Number(text[12]),
  },
  BGUniformCivilNumber: {
    pattern: '\\b\\d{10}\\b',
    accepts: (text) => isDateLike(text) && (weighted(text, [2, 4, 8, 5, 10, 9, 7, 3, 6]) % 11) % 10 === Number(text[9]),
  },
  HRPersonalIdentificationNumber: { pattern: '\\b\\d{11}\\b', accepts: isMod1110 },
  BRCPFNumber: { pattern: '\\b\\d{3}\\.\\d{3}\\.\\d{3}-\\d{2}\\b|\\b\\d{11}\\b', accepts: isCpf },
  BRLegalEntityNumber: { pattern: '\\b\\d{2}\\.\\d{3}\\.\\d{3}/\\d{4}-\\d{2}\\b' },
  INUniqueIdentificationNumber: { pattern: '\\b[2-9]\\d{3} ?\\d{4} ?\\d{4}\\b', accepts: verhoeff },
  INPermanentAccountNumber: { pattern: '\\b[A-Z]{3}[ABCFGHJLPT][A-Z]\\d{4}[A-Z]\\b' },
  CNResidentIdentityCardNumber: {
    pattern: '\\b\\d{17}[\\dXx]\\b',
    accepts: (text) =>
      '10X98765432'[weighted(text, [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2]) % 11] ===
      text[17]!.toUpperCase(),
  },
  KRResidentRegistrationNumber: {
    pattern: '\\b\\d{6}-[1-8]\\d{6}\\b',
    accepts: (text) => {
      const digits = digitsOf(text);
      return (11 - (weighted(digits, [2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5]) % 11)) % 10 === Number(digits[12]);
    },
  },
  SGNationalRegistrationIdentityCardNumber: { pattern: '\\b[STFG]\\d{7}[A-Z]\\b', accepts: isNric },
  ZAIdentificationNumber: { pattern: '\\b\\d{13}\\b', accepts: (text) => isDateLike(text) && luhn(text) },
  AUTaxFileNumber: {
    pattern: '\\b\\d{3} ?\\d{3} ?\\d{3}\\b',
    accepts: (text) => weighted(digitsOf(text), [1, 4, 3, 7, 5, 8, 6, 9, 10]) % 11 === 0,
  },
  AUBusinessNumber: {
    pattern: '\\b\\d{2} ?\\d{3} ?\\d{3} ?\\d{3}\\b',
    accepts: (text) => {
      const digits = digitsOf(text);
      const less = String(Number(digits[0]) - 1) + digits.slice(1);
      return digits[0] !== '0' && weighted(less, [10, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19]) % 89 === 0;
    },
  },
  AzureStorageAccountKey: { pattern: '\\bAccountKey=[A-Za-z0-9+/]{86}==' },
  AzureSAS: { pattern: '\\bsig=[A-Za-z0-9%]{43,63}%3d\\b', ignoreCase: true },
  AzureServiceBusString: { pattern: '\\bEndpoint=sb://[^;\\s]{1,200};SharedAccessKey[^\\s]{1,300}', ignoreCase: true },
};

const RECOGNISED_PII: readonly string[] = Object.keys(PII);

/** Recognisers of categories; `*` and `all` mean every one that there is. Of a category that is not recognised there is none. */
export function piiRecognisers(
  categories: readonly string[],
  about: (category: string) => Pick<Recogniser, 'owner' | 'replacement'>,
): Recogniser[] {
  const all = categories.some((each) => each === '*' || each === 'all');
  const wanted = all ? RECOGNISED_PII : RECOGNISED_PII.filter((name) => categories.includes(name));
  return wanted.map((name) => {
    const { pattern, ...rest } = PII[name]!;
    return recogniser(name, pattern, { ...rest, ...about(name) });
  });
}

/** https://www.datadictionary.nhs.uk/attributes/nhs_number.html */
function isNhs(text: string): boolean {
  const digits = digitsOf(text);
  return (11 - (weighted(digits, [10, 9, 8, 7, 6, 5, 4, 3, 2]) % 11)) % 11 === Number(digits[9]);
}

/** ISO 7064 MOD 11,10 */
function isMod1110(digits: string): boolean {
  let product = 10;
  for (const digit of digits.slice(0, -1)) {
    const sum = (Number(digit) + product) % 10;
    product = ((sum === 0 ? 10 : sum) * 2) % 11;
  }
  return (11 - product) % 10 === Number(digits.at(-1));
}

/** One digit occurs twice or three times among the first ten. */
function isGermanTaxId(digits: string): boolean {
  const counts = new Map<string, number>();
  for (const digit of digits.slice(0, 10)) counts.set(digit, (counts.get(digit) ?? 0) + 1);
  const repeated = [...counts.values()].filter((count) => count > 1);
  return repeated.length === 1 && repeated[0]! <= 3 && isMod1110(digits);
}

function isFrenchSocialNumber(text: string): boolean {
  const plain = text.replaceAll(' ', '').replace('2A', '19').replace('2B', '18');
  return 97 - (Number(plain.slice(0, 13)) % 97) === Number(plain.slice(13));
}

/** https://en.wikipedia.org/wiki/Italian_fiscal_code */
function isFiscalCode(text: string): boolean {
  const odd = [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23];
  let sum = 0;
  for (const [at, char] of [...text.slice(0, 15)].entries()) {
    const value = /\d/.test(char) ? Number(char) : char.charCodeAt(0) - 65;
    sum += at % 2 === 0 ? odd[value]! : value;
  }
  return String.fromCharCode(65 + (sum % 26)) === text[15];
}

function isCpf(text: string): boolean {
  const digits = digitsOf(text);
  if (/^(\d)\1+$/.test(digits)) return false;
  const check = (count: number): number => {
    const weights = Array.from({ length: count }, (_, at) => count + 1 - at);
    return ((weighted(digits, weights) * 10) % 11) % 10;
  };
  return check(9) === Number(digits[9]) && check(10) === Number(digits[10]);
}

function isNric(text: string): boolean {
  const first = text[0]!;
  const sum = weighted(text.slice(1, 8), [2, 7, 6, 5, 4, 3, 2]) + (first === 'T' || first === 'G' ? 4 : 0);
  return ('ST'.includes(first) ? 'JZIHGFEDCBA' : 'XWUTRQPNMLK')[sum % 11] === text[8];
}

/** `yymmdd` at its beginning, with the shifts of the month that some countries use. */
function isDateLike(digits: string): boolean {
  const month = Number(digits.slice(2, 4)) % 20;
  const day = Number(digits.slice(4, 6));
  return month >= 1 && month <= 12 && day >= 1 && day <= 31;
}
