import { isObject, type JsonObject } from '../../codec/json-value.ts';
import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';
import type { OcrRequest } from '../../inference/ocr.ts';
import { readDataUrl } from '../openai-json/data-url.ts';
import { others, parsedRequest } from '../openai-json/parsed-request.ts';
import { RequestReader } from '../openai-json/request-reader.ts';

const READ_KEYS: ReadonlySet<string> = new Set(['model', 'document']);
const ADDRESS = 'an `https://` address, or a `data:` URL with base64';

/** The whole request, for a provider of another wire. */
export function toInference(body: Buffer, model: string): OrError<OcrRequest> {
  const value = parsedRequest(body);
  if (value instanceof GatewayError) return value;
  const reader = new RequestReader();
  const document = toDocument(reader.requiredObject(value['document'], 'document'), reader);
  return reader.fault ?? { model, document, extra: others(value, READ_KEYS) };
}

function toDocument(written: JsonObject, reader: RequestReader): OcrRequest['document'] {
  const { type } = written;
  switch (type) {
    case 'document_url': {
      const url = reader.requiredText(written['document_url'], 'document.document_url');
      const filename = reader.text(written['document_name'], 'document.document_name');
      return {
        type: 'file',
        ...fileAt(url, 'document.document_url', reader),
        ...(filename !== undefined && { filename }),
      };
    }
    case 'image_url': {
      const { image_url: named } = written;
      const url = isObject(named)
        ? reader.requiredText(named['url'], 'document.image_url.url')
        : reader.requiredText(named, 'document.image_url');
      return { type: 'image', source: fileAt(url, 'document.image_url', reader) };
    }
    case 'file':
      return { type: 'file', fileId: reader.requiredText(written['file_id'], 'document.file_id') };
    default:
      reader.invalid('document.type', '`document_url`, `image_url` or `file`', type);
      return { type: 'file' };
  }
}

function fileAt(
  url: string,
  place: string,
  reader: RequestReader,
): { url: string } | { base64: string; mediaType: string } {
  const data = readDataUrl(url);
  if (data !== undefined) return data;
  if (!/^https?:\/\//i.test(url)) reader.invalid(place, ADDRESS, url);
  return { url };
}
