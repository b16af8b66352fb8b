import { countOf, type JsonObject, objectOf } from '../../codec/json-value.ts';
import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';
import type { OcrRequest } from '../../inference/ocr.ts';
import type { Usage } from '../../inference/usage.ts';
import { jsonBody } from '../base/json-body.ts';
import type { MadeRequest, Wire } from '../provider.ts';
import { notTranslated } from './not-translated.ts';
import { openAiEmbeddingsWire } from './wire.ts';

/** Documents read as text: https://docs.mistral.ai/api/endpoint/ocr */
export const mistralOcrWire: Wire = {
  ...openAiEmbeddingsWire,
  name: 'mistral-ocr',
  operation: 'ocr',
  forwards: [],
  path: () => '/ocr',
  toUsage: toOcrUsage,
};

/**
 * The same model in a cloud, which fetches no address and has no files: documents go as bytes.
 * https://learn.microsoft.com/en-us/azure/ai-foundry/foundry-models/concepts/models-sold-directly-by-azure
 * https://cloud.google.com/vertex-ai/generative-ai/docs/partner-models/mistral/mistral-ocr
 */
export const hostedOcrWire: Wire = {
  ...mistralOcrWire,
  name: 'mistral-ocr-hosted',
  answersAs: mistralOcrWire.name,
  translation: { toRequest, fromResponse: notTranslated, takesBytesAlone: () => true },
};

/** Pages that were annotated are counted beside those that were read, or alone. */
function toOcrUsage(_usage: unknown, answer: JsonObject): Usage | undefined {
  const told = objectOf(answer['usage_info']);
  const pages = countOf(told?.['pages_processed']);
  const annotatedPages = countOf(told?.['pages_processed_annotation']);
  if (pages === undefined && annotatedPages === undefined) return undefined;
  return { rare: { ...(pages !== undefined && { pages }), ...(annotatedPages !== undefined && { annotatedPages }) } };
}

function toRequest({ model, document, extra }: OcrRequest): OrError<MadeRequest> {
  const written = documentOf(document);
  if (written instanceof GatewayError) return written;
  return { body: jsonBody({ model, document: written, ...extra }), headers: [] };
}

function documentOf(document: OcrRequest['document']): OrError<object> {
  const { base64, mediaType } = document.type === 'image' ? inSource(document.source) : document;
  if (base64 === undefined) {
    const detail = 'This provider has none of the files: send the document as a `data:` URL or by its address.';
    return new GatewayError('unsupported_parameter', { param: 'document.file_id', detail });
  }
  // An address of a document may lead to a picture.
  const type = document.type === 'image' || mediaType?.startsWith('image/') ? 'image_url' : 'document_url';
  const name = document.type === 'file' && type === 'document_url' ? document.filename : undefined;
  return { type, [type]: `data:${mediaType};base64,${base64}`, document_name: name };
}

function inSource(source: Extract<OcrRequest['document'], { type: 'image' }>['source']): {
  base64?: string;
  mediaType?: string;
} {
  return 'url' in source ? {} : source;
}
