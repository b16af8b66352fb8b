import { type ServedAs, servedAfter } from './served-as.ts';

/*
 * Everything that is counted of an exchange, one line each. Merging, frames of records, rows and sums of the ledger,
 * receipts, metrics, log lines and rates of prices are derived from this table: a counter that is added here is carried,
 * stored and shown. Names follow OpenTelemetry GenAI where it has one.
 */

interface Counter {
  /** Name in receipts, usage reports, metrics and log lines. */
  readonly column: string;
  readonly unit: 'tokens' | 'requests' | 'characters' | 'ms' | 'images' | 'pages';
  /** What of a stream that was cut short is true all the same is of its input. */
  readonly side: 'input' | 'output';
  /**
   * `number`: a place of its own in each record; nearly every answer tells it. `rare`: within one text that a record has
   * only where something of it was told.
   */
  readonly carried: 'number' | 'rare';
  /** Its rate in tables of prices (usage/token-rates.ts), which are kept: a name stays for ever. */
  readonly rate: string;
  /** The counter whose count holds this one. Without a rate of its own a part is billed as the whole is. */
  readonly partOf?: string;
  /** Never billed at another rate than its own: without one the cost of the exchange is unknown. */
  readonly ownRate?: true;
  /** Column of the usage sums; without one its sums are rows of the tables `usage_counters_…`. */
  readonly sum?: string;
  /** Attribute of log lines, where OpenTelemetry has a name; else `sluice.usage.` and the column. */
  readonly attribute?: string;
}

export const USAGE_COUNTERS = {
  /** All input tokens, those read from and written to a cache included. */
  inputTokens: {
    column: 'input_tokens',
    rate: 'input',
    unit: 'tokens',
    side: 'input',
    carried: 'number',
    sum: 'input_tokens',
    attribute: 'gen_ai.usage.input_tokens',
  },
  /** All output tokens, reasoning included. */
  outputTokens: {
    column: 'output_tokens',
    rate: 'output',
    unit: 'tokens',
    side: 'output',
    carried: 'number',
    sum: 'output_tokens',
    attribute: 'gen_ai.usage.output_tokens',
  },
  cacheReadInputTokens: {
    column: 'cache_read_input_tokens',
    rate: 'cacheRead',
    unit: 'tokens',
    side: 'input',
    carried: 'number',
    partOf: 'inputTokens',
    sum: 'cache_read_tokens',
    attribute: 'gen_ai.usage.cache_read.input_tokens',
  },
  cacheCreationInputTokens: {
    column: 'cache_creation_input_tokens',
    rate: 'cacheWrite',
    unit: 'tokens',
    side: 'input',
    carried: 'number',
    partOf: 'inputTokens',
    sum: 'cache_creation_tokens',
    attribute: 'gen_ai.usage.cache_creation.input_tokens',
  },
  /** Written for one hour, which Anthropic prices apart. */
  cacheCreation1hInputTokens: {
    column: 'cache_creation_1h_input_tokens',
    rate: 'cacheWrite1h',
    unit: 'tokens',
    side: 'input',
    carried: 'number',
    partOf: 'cacheCreationInputTokens',
  },
  reasoningOutputTokens: {
    column: 'reasoning_output_tokens',
    rate: 'reasoning',
    unit: 'tokens',
    side: 'output',
    carried: 'number',
    partOf: 'outputTokens',
    sum: 'reasoning_tokens',
    attribute: 'gen_ai.usage.reasoning.output_tokens',
  },
  audioInputTokens: {
    column: 'audio_input_tokens',
    rate: 'audioInput',
    unit: 'tokens',
    side: 'input',
    carried: 'number',
    partOf: 'inputTokens',
    ownRate: true,
  },
  audioOutputTokens: {
    column: 'audio_output_tokens',
    rate: 'audioOutput',
    unit: 'tokens',
    side: 'output',
    carried: 'number',
    partOf: 'outputTokens',
    ownRate: true,
  },
  imageInputTokens: {
    column: 'image_input_tokens',
    rate: 'imageInput',
    unit: 'tokens',
    side: 'input',
    carried: 'rare',
    partOf: 'inputTokens',
  },
  imageOutputTokens: {
    column: 'image_output_tokens',
    rate: 'imageOutput',
    unit: 'tokens',
    side: 'output',
    carried: 'rare',
    partOf: 'outputTokens',
  },
  videoInputTokens: {
    column: 'video_input_tokens',
    rate: 'videoInput',
    unit: 'tokens',
    side: 'input',
    carried: 'rare',
    partOf: 'inputTokens',
  },
  /** Tokens of sources that are billed beside the answer's (Perplexity). */
  citationTokens: {
    column: 'citation_tokens',
    rate: 'citation',
    unit: 'tokens',
    side: 'output',
    carried: 'rare',
    ownRate: true,
  },
  /** Searches of the web that the provider made for the answer. */
  webSearchRequests: {
    column: 'web_search_requests',
    rate: 'webSearch',
    unit: 'requests',
    side: 'output',
    carried: 'rare',
    ownRate: true,
  },
  /** Sources read by a search that is billed by source (xAI). */
  searchSources: {
    column: 'search_sources',
    rate: 'searchSource',
    unit: 'requests',
    side: 'output',
    carried: 'rare',
    ownRate: true,
  },
  /** Calls of other tools of the provider's own that it bills. */
  toolRequests: {
    column: 'tool_requests',
    rate: 'toolRequest',
    unit: 'requests',
    side: 'output',
    carried: 'rare',
    ownRate: true,
  },
  /** Passes by another model than the one that was asked, billed at its rates. */
  otherModelPasses: {
    column: 'other_model_passes',
    rate: 'otherModelPass',
    unit: 'requests',
    side: 'output',
    carried: 'rare',
    ownRate: true,
  },
  /** Searches of documents, the unit of rerank models. */
  searchUnits: { column: 'search_units', rate: 'searchUnit', unit: 'requests', side: 'input', carried: 'rare' },
  inputCharacters: {
    column: 'input_characters',
    rate: 'inputCharacter',
    unit: 'characters',
    side: 'input',
    carried: 'rare',
  },
  audioInputMs: { column: 'audio_input_ms', rate: 'audioInputMs', unit: 'ms', side: 'input', carried: 'rare' },
  audioOutputMs: { column: 'audio_output_ms', rate: 'audioOutputMs', unit: 'ms', side: 'output', carried: 'rare' },
  outputImages: { column: 'output_images', rate: 'outputImage', unit: 'images', side: 'output', carried: 'rare' },
  pages: { column: 'pages', rate: 'page', unit: 'pages', side: 'input', carried: 'rare' },
  annotatedPages: { column: 'annotated_pages', rate: 'annotatedPage', unit: 'pages', side: 'input', carried: 'rare' },
} as const satisfies Record<string, Counter>;

type Counters = typeof USAGE_COUNTERS;
export type CounterName = keyof Counters;
type Carried<How extends Counter['carried']> = {
  [Name in CounterName]: Counters[Name]['carried'] extends How ? Name : never;
}[CounterName];
export type NumberCounter = Carried<'number'>;
export type RareCounter = Carried<'rare'>;

export const COUNTER_NAMES = Object.keys(USAGE_COUNTERS) as readonly CounterName[];
export const NUMBER_COUNTERS = COUNTER_NAMES.filter(isNumber);
export const RARE_COUNTERS = COUNTER_NAMES.filter((name) => !isNumber(name)) as readonly RareCounter[];

function isNumber(name: CounterName): name is NumberCounter {
  return USAGE_COUNTERS[name].carried === 'number';
}

export type RareCounts = { [Name in RareCounter]?: number };

/** What one exchange used. Undefined is not zero: it means that nobody said. */
export interface Usage extends Counts {
  /** Undefined nearly always, so that who is in a hurry looks at one field for all of them. */
  rare?: Readonly<RareCounts>;
  /** Where the answer was not served as by default, and is billed otherwise for it. */
  servedAs?: ServedAs;
  /** What the provider itself says it billed, in US dollars (OpenRouter, Perplexity, xAI). */
  providerCostUsd?: number;
}

type Counts = { [Name in NumberCounter]?: number };

/**
 * Of one exchange: more than any context holds. Ledger and budgets add whole nano-dollars up, which are exact to 2^53: a
 * provider that says thousands of millions each time would have them there after a few hundred answers.
 */
const MAX_COUNT = 2 ** 24;
/** Seven weeks of audio. */
const MAX_MS = 2 ** 32;

/**
 * Later counts win, counter by counter; undefined leaves as is. Providers send partial counts in order. What is no count
 * (negative, endless) is as if it was not said, and a fraction is rounded: one such answer must not spoil the ledger.
 * Counters that nearly every answer tells are merged one by one: a loop over them takes a tenth of reading a whole small
 * answer (bench: usage-reading).
 */
export function mergeUsage(into: Usage, later: Usage): void {
  if (isCount(later.inputTokens)) into.inputTokens = Math.round(later.inputTokens);
  if (isCount(later.outputTokens)) into.outputTokens = Math.round(later.outputTokens);
  if (isCount(later.cacheReadInputTokens)) into.cacheReadInputTokens = Math.round(later.cacheReadInputTokens);
  if (isCount(later.cacheCreationInputTokens))
    into.cacheCreationInputTokens = Math.round(later.cacheCreationInputTokens);
  if (isCount(later.cacheCreation1hInputTokens))
    into.cacheCreation1hInputTokens = Math.round(later.cacheCreation1hInputTokens);
  if (isCount(later.reasoningOutputTokens)) into.reasoningOutputTokens = Math.round(later.reasoningOutputTokens);
  if (isCount(later.audioInputTokens)) into.audioInputTokens = Math.round(later.audioInputTokens);
  if (isCount(later.audioOutputTokens)) into.audioOutputTokens = Math.round(later.audioOutputTokens);
  if (later.rare !== undefined) into.rare = mergedRare(into.rare, later.rare);
  if (later.servedAs !== undefined) into.servedAs = servedAfter(into.servedAs, later.servedAs);
  if (later.providerCostUsd !== undefined) into.providerCostUsd = later.providerCostUsd;
}

function mergedRare(before: RareCounts | undefined, later: RareCounts): RareCounts | undefined {
  const merged: RareCounts = { ...before };
  for (const name of RARE_COUNTERS) {
    const count = later[name];
    const max = USAGE_COUNTERS[name].unit === 'ms' ? MAX_MS : MAX_COUNT;
    // Many count zero of what they never do.
    if (isCount(count, max) && (count > 0 || name in merged)) merged[name] = Math.round(count);
  }
  return isEmpty(merged) ? undefined : merged;
}

function isCount(count: number | undefined, max = MAX_COUNT): count is number {
  return count !== undefined && count >= 0 && count <= max;
}

function isEmpty(object: object): boolean {
  for (const _ in object) return false;
  return true;
}

/** The count of any counter, wherever it is carried. */
export function countIn(usage: Readonly<Usage>, name: CounterName): number | undefined {
  return isNumber(name) ? usage[name] : usage.rare?.[name];
}

/** Adds counts that a provider tells apart for parts of one exchange. */
export function addCounts(into: Usage, part: Usage): void {
  for (const name of NUMBER_COUNTERS) into[name] = sum(into[name], part[name]);
  if (part.rare === undefined) return;
  const rare: RareCounts = { ...into.rare };
  for (const name of RARE_COUNTERS) if (part.rare[name] !== undefined) rare[name] = sum(rare[name], part.rare[name]);
  into.rare = rare;
}

function sum(a: number | undefined, b: number | undefined): number | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return a + b;
}

/** What is true of the prompt, whatever became of the answer; no cost, which would be that of the whole answer. */
export function inputUsage(usage: Readonly<Usage>): Usage {
  const input: Usage = usage.servedAs === undefined ? {} : { servedAs: usage.servedAs };
  for (const name of NUMBER_COUNTERS) {
    if (USAGE_COUNTERS[name].side === 'input' && usage[name] !== undefined) input[name] = usage[name];
  }
  if (usage.rare === undefined) return input;
  const rare = Object.entries(usage.rare).filter(([name]) => USAGE_COUNTERS[name as RareCounter].side === 'input');
  if (rare.length > 0) input.rare = Object.fromEntries(rare);
  return input;
}

/** Whether anything is told at all. */
export function tellsAnything(usage: Readonly<Usage>): boolean {
  for (const name in usage) if (usage[name as keyof Usage] !== undefined) return true;
  return false;
}
