import type { JsonObject } from '../codec/json-value.ts';
import type { OrError } from '../core/exchange.ts';

/** One line that a provider's own batch is asked for. */
export interface ProviderBatchLine {
  readonly customId: string;
  /** The model that it asks: as the account calls it, and the provider's own id. */
  readonly model: string;
  readonly modelId: string;
  /** A request in the provider's form. */
  readonly body: Buffer;
}

/** The settings of a batch beside its lines. */
export interface AskedBatch {
  /** Name of the wire in whose form all its lines are. */
  readonly wire: string;
  readonly windowHours: number;
}

/** How the batches of one provider are asked for, and what its words for them mean. */
export type ProviderBatches =
  /** They cannot be asked for in OpenAI's form. `reason`: a sentence for whoever tries. */
  | { readonly kind: 'none'; readonly reason: string }
  /** They are in OpenAI's form already. */
  | ({ readonly kind: 'passed' } & ReadBatches)
  | ({ readonly kind: 'translated' } & TranslatedBatches);

export interface ReadBatches {
  /** At the account's address. */
  readonly path: string;
  /** Undefined: it is no batch. */
  read(batch: JsonObject): ProviderBatch | undefined;
  /** Batches may hold their own results, as the objects of an array of this name, which may be large. Absent: they hold none. */
  readonly itemsIn?: string;
  /** One of its results; undefined: it is none. */
  result(line: JsonObject): ProviderResult | undefined;
}

export interface TranslatedBatches extends ReadBatches {
  /** Names of the wires in whose forms lines may be; the first that can say what is asked counts. */
  readonly wires: readonly string[];
  /** Lines of one request. */
  readonly maxLines: number;
  /** The request that is posted; `path`: at the account's address. */
  create(lines: readonly ProviderBatchLine[], asked: AskedBatch): OrError<{ path: string; body: Buffer }>;
  /** Behind `path`. */
  cancel(id: string): string;
  /** What a page begins behind: the id of a batch, or the `next` of the page before. */
  readonly pagesBy: 'id' | 'cursor';
  /** As the query of a list. */
  page(limit: number, from: string | undefined): string;
  /** The answer to such a query. */
  list(page: JsonObject, limit: number, from: string | undefined): BatchPage | undefined;
}

/** Batches as their provider lists them, the newest first. */
export interface BatchPage {
  readonly batches: readonly JsonObject[];
  /** Where the next page begins; undefined: this is the last one. */
  readonly next: string | undefined;
}

/** A batch at its provider, in OpenAI's words. Times in seconds since the Unix epoch. */
export interface ProviderBatch {
  readonly id: string;
  readonly status: string;
  /** It goes no further. */
  readonly isOver: boolean;
  /** Where its results are, if it has some. */
  readonly results: readonly BatchResults[];
  readonly createdAt: number | null;
  readonly expiresAt: number | null;
  readonly endedAt: number | null;
  readonly cancellingAt: number | null;
  readonly counts: { readonly total: number; readonly completed: number; readonly failed: number };
}

export interface BatchResults {
  /** At the account's address. */
  readonly path: string;
  /** `lines`: one of JSON for each; `items`: objects of the first array of the name `itemsIn`. */
  readonly as: 'lines' | 'items';
}

export interface ProviderResult {
  readonly customId: string;
  /** The whole answer in the provider's form; undefined: there is none, and `error` says why. */
  readonly answer: JsonObject | undefined;
  /** Where the answer does not say `model` and `usage` at its top. */
  readonly model?: string | undefined;
  readonly usage?: unknown;
  readonly error: { readonly code: string; readonly message: string } | undefined;
}
