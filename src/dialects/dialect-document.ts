/** A schema or another part of OpenAPI 3.0.3: https://spec.openapis.org/oas/v3.0.3 */
export type OpenApiPart = Readonly<Record<string, unknown>>;

/** Media type → schema, as in a body of OpenAPI. */
export type OpenApiContent = Readonly<Record<string, { readonly schema: OpenApiPart }>>;

/** What the OpenAPI document says of a dialect. What is true of all dialects is added where the document is made. */
export interface DialectDocument {
  readonly summary: string;
  readonly description: string;
  readonly operationId: string;
  /** The ids of further routes' operations, which need ids of their own: pattern → id. */
  readonly otherIds?: Readonly<Record<string, string>>;
  readonly tag: { readonly name: string; readonly description: string };
  readonly request: OpenApiContent;
  /** What a true answer is, in words. */
  readonly answered: string;
  readonly answer: OpenApiContent;
  /** The answer may be the gateway's own estimate, and a header then says so. */
  readonly mayBeEstimate?: true;
  /** What request and answer refer to below `#/components/schemas/`. */
  readonly schemas?: Readonly<Record<string, OpenApiPart>>;
}
