/*
 * How an answer was served, where that changes what its tokens cost: the tier, speed and geography that the provider
 * says. Values are kept in small letters; those that stand for the provider's default are left out.
 */

interface Term {
  /** Name in receipts, log lines and `cost.multipliers` of a manifest. */
  readonly column: string;
  /** Values that say nothing special. `auto` is what was asked for, not what was served. */
  readonly standard: ReadonlySet<string>;
  /** Chooses the price of an image; the others multiply the rates of tokens. */
  readonly ofImages?: true;
}

export const SERVED_TERMS = {
  serviceTier: {
    column: 'service_tier',
    standard: new Set(['default', 'standard', 'standard_only', 'auto', 'on_demand']),
  },
  speed: { column: 'speed', standard: new Set(['standard']) },
  /** https://platform.claude.com/docs/en/build-with-claude/data-residency */
  inferenceGeo: { column: 'inference_geo', standard: new Set(['global', 'not_available']) },
  /** The size counts for images that are billed by the piece, and not for those that are billed by tokens. */
  imageSize: { column: 'image_size', standard: new Set(['auto']), ofImages: true },
  imageQuality: { column: 'image_quality', standard: new Set(['auto']), ofImages: true },
} as const satisfies Record<string, Term>;

export type TermName = keyof typeof SERVED_TERMS;
export const TERM_NAMES = Object.keys(SERVED_TERMS) as readonly TermName[];
type Multiplying = {
  [Name in TermName]: (typeof SERVED_TERMS)[Name] extends { ofImages: true } ? never : Name;
}[TermName];
export const MULTIPLYING_TERMS = TERM_NAMES.filter((name): name is Multiplying => !('ofImages' in SERVED_TERMS[name]));
export type ServedAs = { readonly [Name in TermName]?: string };

/** Told, and nothing special: takes back what an earlier part of the answer said. */
const STANDARD = 'standard';
const TERM_VALUE = /^[a-z0-9][a-z0-9_.-]{0,63}$/;
/** In place of what is no name: a provider's words go to logs and ledger. */
const UNREADABLE = 'unreadable';

/** From a provider's or client's own JSON; undefined where none of them is said. */
export function servedAs(said: { readonly [Name in TermName]?: unknown }): ServedAs | undefined {
  let served: { [Name in TermName]?: string } | undefined;
  for (const name of TERM_NAMES) {
    const value = said[name];
    if (typeof value !== 'string') continue;
    const word = value.toLowerCase();
    served ??= {};
    served[name] = SERVED_TERMS[name].standard.has(word) ? STANDARD : TERM_VALUE.test(word) ? word : UNREADABLE;
  }
  return served;
}

/** What the one word means that nearly all answers say; the latest is known, since most providers say the same each time. */
export function servedInTier(serviceTier: string): ServedAs | undefined {
  if (serviceTier !== latestTier) {
    latestServed = servedAs({ serviceTier });
    latestTier = serviceTier;
  }
  return latestServed;
}

let latestTier: string | undefined;
let latestServed: ServedAs | undefined;
let latestAlone: ServedAs | undefined;
let latestAfter: ServedAs | undefined;

/** What holds after more was said; undefined: the provider's default. */
export function servedAfter(before: ServedAs | undefined, later: ServedAs): ServedAs | undefined {
  if (before !== undefined) return merged(before, later);
  if (later !== latestAlone) {
    latestAfter = merged(undefined, later);
    latestAlone = later;
  }
  return latestAfter;
}

function merged(before: ServedAs | undefined, later: ServedAs): ServedAs | undefined {
  const after: { [Name in TermName]?: string } = {};
  let special = false;
  for (const name of TERM_NAMES) {
    const value = later[name] ?? before?.[name];
    if (value === undefined || value === STANDARD) continue;
    after[name] = value;
    special = true;
  }
  return special ? after : undefined;
}

/** What a provider publishes of a term: by how much it multiplies the rates of tokens. */
export interface TermMultiplier {
  readonly term: Multiplying;
  readonly values: readonly string[];
  /** The provider's own model ids that are meant; absent: all. */
  readonly models?: RegExp;
  readonly factor: number;
  /** Where the provider says so. */
  readonly source: string;
}

/** What of a provider's list price stands in no catalogue. */
export interface ListTerms {
  /** The first that fits holds; where none does, the cost of an answer that was served so is unknown. */
  readonly multipliers: readonly TermMultiplier[];
  /** Models that are billed by something besides which their usage does not tell. */
  readonly untold?: readonly { readonly models: RegExp; readonly column: string }[];
  /** Models that cost nothing; the catalogue does not list them. */
  readonly free?: RegExp;
  /** Audio is billed as text is, where the catalogue has no rate of its own for it. */
  readonly audioAsText?: true;
  /** What cache writes for an hour cost in terms of input tokens, where the catalogue has no rate of theirs. */
  readonly hourWrites?: { readonly models: RegExp; readonly ofInput: number; readonly source: string };
}
