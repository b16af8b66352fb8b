import type { Dialect } from '../dialects/dialect.ts';
import type { DialectDocument, OpenApiPart } from '../dialects/dialect-document.ts';
import { INFERENCE_PARAMETERS, PROVIDER_REFUSALS } from './openapi-answers.ts';
import { estimateHeaders, ownHeaders, upstreamHeaders } from './openapi-headers.ts';

/** One operation, as far as others add to it. */
export interface DescribedOperation {
  readonly requestBody?: object | undefined;
  readonly responses: Readonly<Record<string, object>>;
}

/** By path, then by method in lower case. */
export type DescribedPaths = Readonly<Record<string, Readonly<Record<string, DescribedOperation>>>>;

interface DialectParts {
  readonly tags: readonly DialectDocument['tag'][];
  readonly paths: DescribedPaths;
  readonly schemas: Readonly<Record<string, OpenApiPart>>;
}

/** A contributor of a part of the document. */
export type DocumentedDialect = Pick<Dialect, 'routes' | 'openapi'>;

/** The routes of all dialects, as each of them tells it. */
export async function dialectParts(dialects: readonly DocumentedDialect[]): Promise<DialectParts> {
  const tags = new Map<string, DialectDocument['tag']>();
  const paths: Record<string, Record<string, DescribedOperation>> = {};
  const schemas: Record<string, OpenApiPart> = {};
  for (const { routes, openapi } of dialects) {
    const document = await openapi?.();
    if (document === undefined) continue;
    tags.set(document.tag.name, document.tag);
    Object.assign(schemas, document.schemas);
    for (const { method, pattern } of routes) {
      paths[pattern] = { ...paths[pattern], [method.toLowerCase()]: operation(document, pattern) };
    }
  }
  return { tags: [...tags.values()], paths, schemas };
}

function operation(document: DialectDocument, pattern: string): DescribedOperation & OpenApiPart {
  const { summary, description, operationId, otherIds, tag, request, answered, answer, mayBeEstimate } = document;
  return {
    summary,
    description,
    operationId: otherIds?.[pattern] ?? operationId,
    tags: [tag.name],
    parameters: INFERENCE_PARAMETERS,
    requestBody: { required: true, content: request },
    responses: {
      '200': {
        description: answered,
        headers: { ...ownHeaders, ...upstreamHeaders, ...(mayBeEstimate && estimateHeaders) },
        content: answer,
      },
      ...PROVIDER_REFUSALS,
    },
  };
}
