/** The neutral rerank request, used only when dialect and wire differ. */
export interface RerankRequest {
  /** The provider's model id, not the client's. */
  model: string;
  query: string;
  documents: string[];
  /** No more results than these; a provider that cannot be told gives all, and the dialect leaves the others out. */
  maxResults?: number;
  /** The client wants the documents beside their scores. */
  returnDocuments: boolean;
  /** Everything else the client sent at the top level, by its own key. */
  extra: Record<string, unknown>;
}
