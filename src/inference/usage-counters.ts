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
  /** Zero is told as well: it stands in the place of another count. Elsewhere many count zero of what they never do. */
  readonly keepsZero?: true;
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
  /** The billed part of the input, where the provider bills less than it counts (Cohere). */
  billedInputTokens: {
    column: 'billed_input_tokens',
    rate: 'billedInput',
    unit: 'tokens',
    side: 'input',
    carried: 'rare',
    partOf: 'inputTokens',
    keepsZero: true,
  },
  billedOutputTokens: {
    column: 'billed_output_tokens',
    rate: 'billedOutput',
    unit: 'tokens',
    side: 'output',
    carried: 'rare',
    partOf: 'outputTokens',
    keepsZero: true,
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
export const NUMBER_COUNTERS = COUNTER_NAMES.filter(isNumberCounter);
export const RARE_COUNTERS = COUNTER_NAMES.filter((name) => !isNumberCounter(name)) as readonly RareCounter[];

export function isNumberCounter(name: CounterName): name is NumberCounter {
  return USAGE_COUNTERS[name].carried === 'number';
}

export type RareCounts = { [Name in RareCounter]?: number };
