import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { ModelInfo, ModelPrice, PriceCalculationResult, Provider } from '@pydantic/genai-prices';
import { parseObject, stringOf } from '../codec/json-value.ts';
import type { PricedProvider, PriceList } from '../config/price-list.ts';
import { madeOnce } from '../core/made-once.ts';
import {
  cleanRate,
  layeredTable,
  type RateTable,
  type SteppedRate,
  type SteppedRates,
  TOKEN_RATES,
  type TokenRateName,
  UNIT_RATES,
  type UnitRateName,
  type UnitRates,
} from './token-rates.ts';

/*
 * The only door to the price library: public list prices and the models a provider has. Loading it takes 16 to 27 ms
 * and about 13 MB of resident memory (2.5 MB of heap) in each thread that does, measured on a 2-core Linux machine. So it
 * is loaded when an account asks for list prices, and never where none does. Its data is bundled; nothing is fetched.
 */

const load = createRequire(import.meta.url);
let library: typeof import('@pydantic/genai-prices') | undefined;

/** To be called before the first price is asked for on the way of an exchange, which would wait for it. */
export function loadCatalogue(): typeof import('@pydantic/genai-prices') {
  library ??= load('@pydantic/genai-prices') as typeof import('@pydantic/genai-prices');
  return library;
}

/** The library exports neither its version nor its package.json; a price without the version cannot be recomputed. */
export const catalogueVersion = madeOnce(() => {
  const file = new URL('../package.json', import.meta.resolve('@pydantic/genai-prices'));
  return `genai-prices ${stringOf(parseObject(readFileSync(file, 'utf8'))?.['version']) ?? 'of an unknown version'}`;
});

/** What stands before the library in this thread; undefined: nothing. */
let priceList: PriceList | undefined;

/** All prices that are compiled from now on use this list; those compiled before keep theirs. */
export function usePriceList(list: PriceList | undefined): void {
  if (list === priceList) return;
  priceList = list;
  modelsByCatalogue.clear();
}

export interface CatalogueEntry {
  /** Whose price it is: of the library, or of the list that stands before it. */
  readonly version: string;
  /** The table that holds at that moment (milliseconds since the Unix epoch). */
  tableAt(atMs: number): RateTable | undefined;
}

/** The list price of a model; undefined where the catalogue does not know it. */
export function catalogueEntry(catalogueId: string, modelId: string): CatalogueEntry | undefined {
  const list = priceList;
  const found = find(catalogueId, modelId, undefined, list);
  if (found === undefined) return undefined;
  const { version } = found;
  if (!Array.isArray(found.model.prices)) {
    const table = tableOf(found.price);
    return { version, tableAt: () => table };
  }
  // Prices that begin on a date or hold for hours of the day: every boundary in the data stands at a full minute, so
  // asking the library (about 10 µs) once a minute is exact.
  let minute = -1;
  let table: RateTable | undefined;
  return {
    version,
    tableAt: (atMs) => {
      const now = Math.floor(atMs / 60_000);
      if (now !== minute) {
        minute = now;
        const price = find(catalogueId, modelId, new Date(now * 60_000), list)?.price;
        table = price && tableOf(price);
      }
      return table;
    },
  };
}

const wellFormedId = /^[A-Za-z0-9._:/@+-]{0,255}[A-Za-z0-9]$/;
const modelsByCatalogue = new Map<string, readonly string[]>();

/**
 * Ids of the models of a provider that are not deprecated. Entries that stand for a family (`ft:gpt-4o`,
 * `regional.anthropic…`) do not match their own id in the library: no provider would take them as a model, so they are
 * left out. Computed once per provider and thread: 10 ms at most (700 models).
 */
export function catalogueModels(catalogueId: string): readonly string[] {
  let models = modelsByCatalogue.get(catalogueId);
  if (models === undefined) {
    const listed = priceList?.providers.find(({ id }) => id === catalogueId)?.models.map(({ id }) => id) ?? [];
    const known = (loadCatalogue().findProvider({ providerId: catalogueId })?.models ?? [])
      .filter((model) => !model.deprecated && wellFormedId.test(model.id))
      .filter((model) => namesItself(model) || catalogueHas(catalogueId, model.id))
      .map((model) => model.id);
    const own = listed.filter((id) => wellFormedId.test(id) && catalogueHas(catalogueId, id));
    models = own.length === 0 ? known : [...new Set([...known, ...own])];
    modelsByCatalogue.set(catalogueId, models);
  }
  return models;
}

/** Most do, and it saves asking: a search of the whole catalogue for each of its models. */
function namesItself({ id, match }: ModelInfo): boolean {
  const matches = 'or' in match ? match.or : [match];
  return matches.some((each) => 'equals' in each && each.equals === id);
}

/**
 * Whether the catalogue knows this id as a model of this provider: by the library's matching, so that dated snapshots
 * and deprecated models count. A miss costs 0.02 to 0.15 ms.
 */
export function catalogueHas(catalogueId: string, modelId: string): boolean {
  return find(catalogueId, modelId, undefined, priceList) !== undefined;
}

function find(catalogueId: string, modelId: string, timestamp: Date | undefined, list: PriceList | undefined) {
  const { calcPrice, findProvider } = loadCatalogue();
  const listed = list?.providers.find(({ id }) => id === catalogueId);
  const own = listed && priced(() => calcPrice({}, modelId, { provider: providerOf(listed), timestamp }));
  if (list && own) return { ...own, version: `prices ${list.version}` };
  // An unknown provider id makes the library guess one from the model's name: a price of somebody else.
  if (findProvider({ providerId: catalogueId }) === undefined) return undefined;
  const found = priced(() => calcPrice({}, modelId, { providerId: catalogueId, timestamp }));
  return found && { ...found, version: catalogueVersion() };
}

function priced(calculate: () => PriceCalculationResult) {
  try {
    const found = calculate();
    return found === null ? undefined : { model: found.model satisfies ModelInfo, price: found.model_price };
  } catch {
    // The library throws where its data contradicts itself: no price is known then (a test walks all of them).
    return undefined;
  }
}

/** What the library wants besides, and reads only where it looks for a provider. */
function providerOf({ id, models }: PricedProvider): Provider {
  return { id, name: id, api_pattern: '', models: [...models] };
}

const nanoPerTokenFromMtok = 1000;
const nanoEachFromThousand = 1e6;
const nanoPerMsFromHour = 1e9 / 3_600_000;

/** The library's keys of rates of tokens, in US dollars per million. */
const TOKEN_KEYS: { readonly [Name in TokenRateName]?: string } = {
  input: 'input_mtok',
  output: 'output_mtok',
  cacheRead: 'cache_read_mtok',
  cacheWrite: 'cache_write_mtok',
  cacheWrite1h: 'cache_write_1h_mtok',
  reasoning: 'output_reasoning_mtok',
  audioInput: 'input_audio_mtok',
  audioOutput: 'output_audio_mtok',
  imageInput: 'input_image_mtok',
  imageOutput: 'output_image_mtok',
  videoInput: 'input_video_mtok',
};

/** The same of what is billed beside tokens, with what makes nano-dollars each of it. */
const UNIT_KEYS: { readonly [Name in UnitRateName]?: readonly [key: string, nanoUsd: number] } = {
  citation: ['output_citation_mtok', nanoPerTokenFromMtok],
  webSearch: ['web_searches_kcount', nanoEachFromThousand],
  searchUnit: ['rerank_searches_kcount', nanoEachFromThousand],
  audioInputMs: ['input_audio_hours', nanoPerMsFromHour],
  page: ['input_document_kpages', nanoEachFromThousand],
  annotatedPage: ['input_annotated_document_kpages', nanoEachFromThousand],
};

/** Undefined where the model is billed by something that no counter counts. */
function tableOf(price: ModelPrice): RateTable | undefined {
  const rates: SteppedRates = {};
  for (const name of TOKEN_RATES) {
    const key = TOKEN_KEYS[name];
    if (key !== undefined) rates[name] = stepped(price[key]);
  }
  const each: UnitRates = {};
  for (const name of UNIT_RATES) {
    const [key = '', nanoUsd = 0] = UNIT_KEYS[name] ?? [];
    const written = price[key];
    if (typeof written === 'number') each[name] = cleanRate(written * nanoUsd);
  }
  // USD per 1,000 requests.
  const requests = price['requests_kcount'];
  const perExchange = typeof requests === 'number' ? requests * nanoEachFromThousand : 0;
  const table = layeredTable(rates, perExchange, each);
  const tells = rates.input !== undefined || rates.output !== undefined || perExchange > 0 || table.each !== undefined;
  return tells ? table : undefined;
}

function stepped(value: ModelPrice[string]): SteppedRate | undefined {
  if (value === undefined) return undefined;
  if (typeof value === 'number') return { base: value * nanoPerTokenFromMtok, steps: [] };
  return {
    base: value.base * nanoPerTokenFromMtok,
    // The library's tier begins above its start.
    steps: value.tiers.map((tier) => ({ fromInputTokens: tier.start + 1, rate: tier.price * nanoPerTokenFromMtok })),
  };
}
