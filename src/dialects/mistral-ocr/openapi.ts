import type { DialectDocument } from '../dialect-document.ts';
import { freeObject, jsonBodies, model, openObject, text, told } from '../openai-json/openapi-parts.ts';

const request = openObject(['model', 'document'], {
  model,
  document: {
    ...openObject(['type'], {
      type: { type: 'string', enum: ['document_url', 'image_url', 'file'] },
      document_url: told('An address, or a `data:` URL with base64'),
      document_name: text,
      image_url: {
        description: 'An address, a `data:` URL with base64, or an object with a `url`',
        oneOf: [text, freeObject],
      },
      file_id: told('Of a file at the provider'),
    }),
    description: 'The document to be read',
  },
  pages: {
    description: 'Pages to be read, counted from 0; absent: all',
    oneOf: [text, { type: 'array', items: { oneOf: [{ type: 'integer', minimum: 0 }, text] } }, { type: 'null' }],
  },
  include_image_base64: { type: ['boolean', 'null'] },
  bbox_annotation_format: { description: 'How pictures are annotated', oneOf: [freeObject, { type: 'null' }] },
  document_annotation_format: { description: 'How the document is annotated', oneOf: [freeObject, { type: 'null' }] },
});

const answer = openObject(['pages', 'usage_info'], {
  pages: {
    type: 'array',
    items: openObject(['index', 'markdown'], {
      index: { type: 'integer' },
      markdown: text,
      images: { type: 'array', items: freeObject },
    }),
  },
  model: text,
  document_annotation: { type: ['string', 'null'] },
  usage_info: openObject(['pages_processed'], {
    pages_processed: { type: 'integer' },
    pages_processed_annotation: { type: ['integer', 'null'] },
    doc_size_bytes: { type: ['integer', 'null'] },
  }),
});

export const document: DialectDocument = {
  summary: 'Read a Document',
  description: 'Reads a document or an image as text (OCR), in Mistral’s form.',
  operationId: 'readDocument',
  tag: { name: 'OCR', description: 'Documents read as text' },
  answered: 'The pages as Markdown',
  ...jsonBodies('Ocr', { request, answer }),
};
