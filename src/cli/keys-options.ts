import type { KeyWish } from '../identity/key-wish.ts';
import { TIME_SPAN_FORM, timeSpanMs } from '../identity/time-span.ts';
import { subjectSchema } from '../store/token-claims.ts';

/** As the command line gives them. */
export interface KeysCreateOptions {
  subject: string;
  /** Comma separated model patterns; absent: all models. */
  models?: string;
  /** Comma separated. */
  teams?: string;
  /** A span like `90d`; absent: the key does not expire. */
  expires?: string;
  /** Each `key=value`. */
  metadata?: readonly string[];
  name?: string;
  /** `jwt` or `opaque`. */
  tokenType?: string;
}

/** The checked wish, or what is wrong with it: one line a fault, saying what is allowed. */
export function readKeyWish(options: KeysCreateOptions, now: Date): KeyWish | string[] {
  const faults: string[] = [];
  function checked<T>(read: () => T): T | undefined {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof OptionFault)) throw error;
      faults.push(error.message);
      return undefined;
    }
  }
  const subject = checked(() => subjectOf(options.subject)) ?? '';
  const name = checked(() => (options.name === undefined ? undefined : plain('--name', options.name, 64)));
  const teams = checked(() => listOf('--teams', options.teams)) ?? [];
  const models = checked(() => modelsOf(options.models));
  const metadata = checked(() => metadataOf(options.metadata ?? [])) ?? {};
  const lifetimeMs = checked(() => (options.expires === undefined ? undefined : spanMs('--expires', options.expires)));
  const tokenType = checked(() => tokenTypeOf(options.tokenType));
  const expiresAt = lifetimeMs === undefined ? undefined : new Date(now.getTime() + lifetimeMs);
  return faults.length > 0 ? faults : { subject, name, teams, models, metadata, expiresAt, tokenType };
}

class OptionFault extends Error {}

function subjectOf(text: string): string {
  const parsed = subjectSchema.safeParse(text);
  if (parsed.success) return parsed.data;
  throw new OptionFault(
    `--subject: found ${JSON.stringify(text)}; allowed is user:EMAIL or virtualaccount:NAME, up to 256 characters without white space`,
  );
}

/** Control characters would let a name write what it likes into logs and tables. */
function plain(option: string, text: string, maxLength: number): string {
  if (text !== '' && text.length <= maxLength && !/\p{C}/u.test(text)) return text;
  throw new OptionFault(`${option}: found ${JSON.stringify(text)}; allowed are 1 to ${maxLength} printable characters`);
}

function listOf(option: string, text: string | undefined): string[] | undefined {
  return text?.split(',').map((part) => plain(option, part.trim(), 256));
}

function modelsOf(text: string | undefined): string[] | undefined {
  const patterns = listOf('--models', text);
  for (const pattern of patterns ?? []) {
    if (/^[A-Za-z0-9._:/@+*-]+$/.test(pattern)) continue;
    throw new OptionFault(
      `--models: found ${JSON.stringify(pattern)}; allowed are ACCOUNT/MODEL patterns of letters, digits, . _ : / @ + - ` +
        'and * for any run of characters, separated by commas',
    );
  }
  return patterns;
}

function metadataOf(pairs: readonly string[]): Record<string, string> {
  const metadata = new Map<string, string>();
  for (const pair of pairs) {
    const equals = pair.indexOf('=');
    if (equals < 1) throw new OptionFault(`--metadata: found ${JSON.stringify(pair)}; allowed is KEY=VALUE`);
    const key = plain('--metadata', pair.slice(0, equals), 128);
    const value = pair.slice(equals + 1);
    if (metadata.has(key)) throw new OptionFault(`--metadata: ${JSON.stringify(key)} is given twice`);
    metadata.set(key, value === '' ? '' : plain('--metadata', value, 128));
  }
  return Object.fromEntries(metadata);
}

function tokenTypeOf(text: string | undefined): KeyWish['tokenType'] {
  if (text === undefined || text === 'jwt' || text === 'opaque') return text;
  throw new OptionFault(`--token-type: found ${JSON.stringify(text)}; allowed are jwt and opaque`);
}

/** Milliseconds, or what is wrong with the option. */
export function readGrace(text: string): number | string {
  if (text === '0s') return 0;
  return timeSpanMs(text) ?? `--grace: found ${JSON.stringify(text)}; allowed is ${TIME_SPAN_FORM}; or 0s`;
}

function spanMs(option: string, text: string): number {
  const span = timeSpanMs(text);
  if (span !== undefined) return span;
  throw new OptionFault(`${option}: found ${JSON.stringify(text)}; allowed is ${TIME_SPAN_FORM}`);
}
