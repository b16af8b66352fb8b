// biome-ignore-all lint/suspicious/noTemplateCurlyInString: `${env:NAME}` is our own syntax, not a template
import type { z } from 'zod';
import { nearNames } from '../../core/near-names.ts';
import { cut, didYouMean } from '../fault.ts';

export interface WrittenValue {
  readonly value: unknown;
  /** The key whose value it is: it says the unit. */
  readonly key: string;
  /** It is a secret, or its text came from outside the file: it may not be shown. */
  readonly secret: boolean;
  readonly outside: boolean;
}

/** What to do about a value that a schema refuses; undefined where what is allowed says it all. */
export function remedyFor(issue: z.core.$ZodIssue, { value, key, secret, outside }: WrittenValue): string | undefined {
  if (outside && value === '') return 'What `${…}` stands for is empty';
  const expected = expectedTypes(issue);
  const scalar = typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
  if (expected.has('string') && scalar && typeof value !== 'string') return 'Put it in quotes';
  if (expected.has('array') && scalar && !secret && !outside) {
    return `Write a list: \`[${typeof value === 'string' ? quotedText(value) : String(value)}]\``;
  }
  if (expected.has('array') && !scalar) return 'Write a list: each entry begins with `- `';
  if (typeof value !== 'string') return undefined;
  if (expected.size > 0 && outside) return '`${…}` always gives text; write this value into the file';
  if (secret || outside) return undefined;
  return plainValue(value, key, expected) ?? didYouMean(nearChoices(value, choices(issue)));
}

function expectedTypes(issue: z.core.$ZodIssue): ReadonlySet<string> {
  if (issue.code === 'invalid_type') return new Set([issue.expected]);
  if (issue.code !== 'invalid_union') return new Set();
  return new Set(issue.errors.flatMap((errors) => errors.flatMap((error) => [...expectedTypes(error)])));
}

const TRUE_WORDS: ReadonlySet<string> = new Set(['true', 'yes', 'on']);
const FALSE_WORDS: ReadonlySet<string> = new Set(['false', 'no', 'off']);

/** The number or boolean that a text means. */
function plainValue(text: string, key: string, expected: ReadonlySet<string>): string | undefined {
  const word = text.toLowerCase();
  if (expected.has('boolean')) {
    if (word === 'true' || word === 'false') return 'Write it without quotes';
    if (TRUE_WORDS.has(word)) return 'Write `true`';
    if (FALSE_WORDS.has(word)) return 'Write `false`';
  }
  if (!expected.has('number') && !expected.has('int')) return undefined;
  if (/^-?\d+(\.\d+)?$/.test(text)) return 'Write it without quotes';
  const amount = amountOf(word, key);
  return amount === undefined ? undefined : `Write the number alone: \`${amount}\``;
}

const UNITS: readonly { readonly keys: RegExp; readonly factors: Readonly<Record<string, number>> }[] = [
  { keys: /_ms$/, factors: { ms: 1, s: 1000, sec: 1000, m: 60_000, min: 60_000, h: 3_600_000, d: 86_400_000 } },
  { keys: /_seconds$/, factors: { s: 1, sec: 1, m: 60, min: 60, h: 3600, d: 86_400 } },
  { keys: /_hours$/, factors: { h: 1, d: 24 } },
  { keys: /_days$|interval$|period$/, factors: { d: 1, day: 1, days: 1, w: 7 } },
  {
    keys: /_bytes$/,
    factors: {
      b: 1,
      kb: 1024,
      k: 1024,
      kib: 1024,
      mb: 1024 ** 2,
      m: 1024 ** 2,
      mib: 1024 ** 2,
      gb: 1024 ** 3,
      gib: 1024 ** 3,
    },
  },
];

/** `30s` where the key says milliseconds, `10_000`, `$10`. */
function amountOf(text: string, key: string): number | undefined {
  const [, digits = '', unit = ''] = /^\$?\s*(\d[\d_,]*(?:\.\d+)?)\s*([a-z%]*)$/.exec(text) ?? [];
  const number = Number(digits.replaceAll(/[_,]/g, ''));
  if (digits === '' || !Number.isFinite(number)) return undefined;
  if (unit === '' || unit === '%' || unit === 'usd') return number;
  const factor = UNITS.find(({ keys }) => keys.test(key))?.factors[unit];
  return factor === undefined ? undefined : number * factor;
}

function choices(issue: z.core.$ZodIssue): string[] {
  if (issue.code === 'invalid_value') return issue.values.map(String);
  if (issue.code === 'invalid_union') return discriminatorValues(issue).map(String);
  return [];
}

/** Near by letters, or begun alike: `warning` for `warn`, `vllm` for `vllm-openai`. */
function nearChoices(value: string, allowed: readonly string[]): string[] {
  const near = nearNames(value, allowed);
  if (near.length > 0 || value.length < 3) return near;
  return allowed.filter((each) => each.length > 2 && (each.startsWith(value) || value.startsWith(each)));
}

/** Zod gives them as `options`, which its types do not tell. */
export function discriminatorValues(issue: object): unknown[] {
  return 'options' in issue && Array.isArray(issue.options) ? issue.options : [];
}

/** As it can stand in a list in brackets. */
function quotedText(text: string): string {
  return /^[\w./-]+$/.test(text) ? text : JSON.stringify(cut(text));
}
