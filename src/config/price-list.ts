import { createHash, createPublicKey, type KeyObject, verify } from 'node:crypto';
import { z } from 'zod';

/**
 * A price list that stands before the one of the price library: the models that it names cost what it says, all others
 * what the library says. Its form is the library's own (`data.json` of genai-prices), with less that must be given.
 */
export interface PriceList {
  /** As records and receipts show it: what the list says of itself, and the beginning of its SHA-256. */
  readonly version: string;
  readonly providers: readonly PricedProvider[];
}

export interface PricedProvider {
  /** As in the library: `openai`, `anthropic`, `google`. */
  readonly id: string;
  readonly models: readonly PricedModel[];
}

export interface PricedModel {
  id: string;
  match: Match;
  prices: Prices | { constraint?: Constraint | undefined; prices: Prices }[];
}

export type Match =
  | { equals: string }
  | { starts_with: string }
  | { ends_with: string }
  | { contains: string }
  | { regex: string }
  | { or: Match[] }
  | { and: Match[] };

/** US dollars: `input_mtok` for a million tokens of input, and so on. */
type Prices = Record<string, number | Tiered>;

interface Tiered {
  base: number;
  tiers: { start: number; price: number }[];
}

type Constraint =
  | { type: 'start_date'; start_date: string }
  | { type: 'time_of_date'; start_time: string; end_time: string };

/** The library's own list has some 2 MB. */
export const MAX_PRICE_LIST_BYTES = 16 * 1024 * 1024;
export const MAX_SIGNATURE_BYTES = 4096;

const name = z.string().min(1).max(300);
const usd = z.number().min(0);
const match: z.ZodType<Match> = z.lazy(() =>
  z.union([
    z.object({ equals: name }),
    z.object({ starts_with: name }),
    z.object({ ends_with: name }),
    z.object({ contains: name }),
    z.object({ regex: name.refine((source) => isRegex(source), { error: 'a regular expression' }) }),
    z.object({ or: z.array(match).min(1) }),
    z.object({ and: z.array(match).min(1) }),
  ]),
);
const tiered = z.object({ base: usd, tiers: z.array(z.object({ start: z.number().min(0), price: usd })) });
const prices = z.record(z.string().max(100), z.union([usd, tiered]));
const minuteError = 'a full minute, as `16:30:00Z`: prices are looked up once a minute';
const minute = z.string().regex(/^([01]\d|2[0-3]):[0-5]\d:00Z$/, { error: minuteError });
const constraint = z.union([
  z.object({ type: z.literal('start_date'), start_date: z.iso.date() }),
  z.object({ type: z.literal('time_of_date'), start_time: minute, end_time: minute }),
]);
const model = z
  .object({
    id: name,
    match: match.optional(),
    prices: z.union([z.array(z.object({ constraint: constraint.optional(), prices })), prices]),
  })
  .transform((written): PricedModel => ({ ...written, match: written.match ?? { equals: written.id } }));
const provider = z.object({ id: name, models: z.array(model) });
const list = z.union([
  z.array(provider).transform((providers) => ({ version: undefined, providers })),
  z.object({ version: z.string().min(1).max(64).optional(), providers: z.array(provider) }),
]);

function isRegex(source: string): boolean {
  try {
    return new RegExp(source) !== undefined;
  } catch {
    // Not a regular expression: the schema says so.
    return false;
  }
}

/** A list, or in words why it is none. */
export function readPriceList(bytes: Buffer): PriceList | string {
  let data: unknown;
  try {
    data = JSON.parse(bytes.toString('utf8'));
  } catch {
    // Its own message would quote the text.
    return 'it is not JSON';
  }
  const read = list.safeParse(data);
  if (!read.success) return `it is no price list: ${firstIssue(read.error)}`;
  const digest = createHash('sha256').update(bytes).digest('hex').slice(0, 8);
  const { version, providers } = read.data;
  return { version: version === undefined ? digest : `${version} ${digest}`, providers };
}

function firstIssue({ issues }: z.core.$ZodError): string {
  let [issue] = issues;
  // The member of a union that got furthest says most.
  while (issue?.code === 'invalid_union') {
    const [deepest] = issue.errors.toSorted((a, b) => depthOf(b) - depthOf(a));
    const inner: z.core.$ZodIssue | undefined = deepest?.[0];
    if (inner === undefined || inner.path.length === 0) break;
    issue = { ...inner, path: [...issue.path, ...inner.path] };
  }
  return issue === undefined ? 'unknown' : `${issue.path.join('.') || 'the whole'}: ${issue.message}`;
}

function depthOf(errors: readonly z.core.$ZodIssue[]): number {
  return Math.max(0, ...errors.map(({ path }) => path.length));
}

/** The bytes of SPKI that stand before the 32 bytes of the key. */
const ED25519_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');
const RAW_KEY_BYTES = 32;
const SIGNATURE_BYTES = 64;

/** An Ed25519 key, as PEM or as its 32 bytes in base64; undefined: it is none. */
export function signingKey(written: string): KeyObject | undefined {
  try {
    const raw = Buffer.from(written, 'base64');
    const key = written.includes('-----BEGIN')
      ? createPublicKey(written)
      : createPublicKey({ key: Buffer.concat([ED25519_PREFIX, raw]), format: 'der', type: 'spki' });
    const fits = written.includes('-----BEGIN') || raw.length === RAW_KEY_BYTES;
    return fits && key.asymmetricKeyType === 'ed25519' ? key : undefined;
  } catch {
    // Not a key: whoever asks says so.
    return undefined;
  }
}

/** Whether the signature, in base64 or as its 64 bytes, is that key's of these bytes. */
export function isSignedBy(publicKey: string, bytes: Buffer, signature: Buffer): boolean {
  const key = signingKey(publicKey);
  const raw = signature.length === SIGNATURE_BYTES ? signature : Buffer.from(signature.toString('latin1'), 'base64');
  return key !== undefined && raw.length === SIGNATURE_BYTES && verify(null, bytes, key, raw);
}
