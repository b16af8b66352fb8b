import { GatewayError } from '../../core/errors.ts';
import { jsonDialect } from '../openai-json/json-dialect.ts';
import { expectedPages } from './expected-pages.ts';
import { guarded } from './guarded.ts';
import { toInference } from './to-inference.ts';

/** Documents read as text, in Mistral's form: https://docs.mistral.ai/api/endpoint/ocr */
export const mistralOcr = jsonDialect({
  name: 'mistral-ocr',
  operation: 'ocr',
  patterns: ['/ocr'],
  openapi: async () => (await import('./openapi.ts')).document,
  required: ['document'],
  more: {
    keys: ['pages', 'bbox_annotation_format', 'document_annotation_format'],
    // Neither side is tokens of a model: pages are billed, and nothing is estimated.
    read: (scan, body) => {
      const pages = expectedPages(scan, body);
      return pages instanceof GatewayError ? pages : { pages, counted: {}, promptBytes: 0 };
    },
  },
  answerKeys: ['usage_info'],
  guarded,
  promptText: () => ({ text: '', extraTokens: 0, scale: 1 }),
  translation: {
    to: ['ocr'],
    toInference,
    // Each provider of it answers in this form, which passes.
    fromInference: () => new GatewayError('upstream_protocol', { detail: 'Its answer is not of the form of OCR.' }),
  },
});
