import type { DialectDocument, OpenApiContent, OpenApiPart } from '../dialect-document.ts';

/** Words of which the OpenAPI documents of dialects are made. */

export const text = { type: 'string' } as const;
export const texts = { type: 'array', items: text } as const;
export const tokens = { type: 'array', items: { type: 'integer', minimum: 0 } } as const;
export const freeObject = { type: 'object', additionalProperties: true } as const;
export const freeObjects = { type: 'array', items: freeObject } as const;
export const model = {
  type: 'string',
  minLength: 1,
  maxLength: 256,
  description: '`account/model`, or a bare id where exactly one account has it',
} as const;
export const usage = {
  ...freeObject,
  description: 'Absent where the provider tells none',
  properties: { prompt_tokens: { type: 'integer' }, total_tokens: { type: 'integer' } },
} as const;

export const told = (description: string) => ({ ...text, description }) as const;
export const oneOf = (...values: string[]) => ({ ...text, enum: values }) as const;
export const file = (description: string) => ({ ...text, format: 'binary', description }) as const;

/** A reference to one of the document's own schemas. */
export const named = (name: string): OpenApiPart => ({ $ref: `#/components/schemas/${name}` });
export const json = (schema: OpenApiPart): OpenApiContent => ({ 'application/json': { schema } });
export const form = (required: readonly string[], properties: OpenApiPart): OpenApiContent => ({
  'multipart/form-data': { schema: { type: 'object', required, properties } },
});
export const events = (description: string): OpenApiContent => ({ 'text/event-stream': { schema: told(description) } });

/** An object of which more may be said than these properties. */
export const openObject = (required: readonly string[], properties: OpenApiPart): OpenApiPart => ({
  type: 'object',
  ...(required.length > 0 && { required }),
  additionalProperties: true,
  properties,
});

/** Request and answer of JSON as schemas of the document, `NAMERequest` and `NAMEResponse`; `streamed`: the answer's other form. */
export const jsonBodies = (
  name: string,
  { request, answer, streamed }: { request: OpenApiPart; answer: OpenApiPart; streamed?: OpenApiContent },
): Required<Pick<DialectDocument, 'request' | 'answer' | 'schemas'>> => ({
  request: json(named(`${name}Request`)),
  answer: { ...json(named(`${name}Response`)), ...streamed },
  schemas: { [`${name}Request`]: request, [`${name}Response`]: answer },
});

/** Streams of OpenAI's older form. */
export const DATA_EVENTS = events('SSE stream when stream=true: `data: ` events of the same form, then `data: [DONE]`');
/** Streams whose events have a type. */
export const typedEvents = (types: string): OpenApiContent =>
  events(`SSE stream: one \`data: \` event each of ${types}; the last tells usage.`);

/** The description of forms that are not parsed. */
export const PASSES =
  'Request and answer pass through byte for byte, but for the model’s name. Parameters that are not listed pass through.';
