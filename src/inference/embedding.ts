/** The neutral embedding request, used only when dialect and wire differ. */
export interface EmbeddingRequest {
  /** The provider's model id, not the client's. */
  model: string;
  inputs: EmbeddingInput[];
  dimensions?: number;
  /** What the client wants to read. */
  encoding: 'float' | 'base64';
  /** What the vectors are for, in the words of Cohere and Voyage: `query`, `document`, `classification`, `clustering`. */
  inputType?: string;
  /** End-user identifier. */
  user?: string;
  /** Everything else the client sent at the top level, by its own key. */
  extra: Record<string, unknown>;
}

/** A text, or the tokens of one. */
export type EmbeddingInput = string | readonly number[];
