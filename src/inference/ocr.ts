import type { Part } from './request.ts';

/** The neutral request to read a document, used only when dialect and wire differ. */
export interface OcrRequest {
  /** The provider's model id, not the client's. */
  model: string;
  document: Extract<Part, { type: 'image' | 'file' }>;
  /** Everything else the client sent at the top level, by its own key. */
  extra: Record<string, unknown>;
}

/** The pages that a request will be billed for, as far as they are known before its answer counts them. */
export interface ExpectedPages {
  /** No more than these; undefined: nobody said. */
  readonly most: number | undefined;
  /** Each of them is annotated as well, which is billed apart. */
  readonly annotated: boolean;
}
