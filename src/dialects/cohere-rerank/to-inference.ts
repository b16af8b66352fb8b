import { isObject } from '../../codec/json-value.ts';
import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';
import type { RerankRequest } from '../../inference/rerank.ts';
import { others, parsedRequest } from '../openai-json/parsed-request.ts';
import { RequestReader } from '../openai-json/request-reader.ts';

const READ_KEYS: ReadonlySet<string> = new Set(['model', 'query', 'documents', 'top_n', 'return_documents']);

/** The whole request, for a provider of another wire. */
export function toInference(body: Buffer, model: string): OrError<RerankRequest> {
  const value = parsedRequest(body);
  if (value instanceof GatewayError) return value;
  const reader = new RequestReader();
  const maxResults = reader.wholeNumber(value['top_n'], 'top_n');
  const documents = reader.list(value['documents'], 'documents').map((each, index) => {
    const place = `documents[${index}]`;
    return isObject(each) ? reader.requiredText(each['text'], `${place}.text`) : reader.requiredText(each, place);
  });
  if (documents.length === 0) reader.invalid('documents', 'a list of texts, and not empty', value['documents']);
  const request: RerankRequest = {
    model,
    query: reader.requiredText(value['query'], 'query'),
    documents,
    ...(maxResults !== undefined && { maxResults }),
    returnDocuments: reader.flag(value['return_documents'], 'return_documents') ?? false,
    extra: others(value, READ_KEYS),
  };
  return reader.fault ?? request;
}
