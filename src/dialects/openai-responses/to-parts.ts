import type { JsonObject } from '../../codec/json-value.ts';
import type { Part } from '../../inference/request.ts';
import { readDataUrl } from '../openai-json/data-url.ts';
import type { RequestReader } from '../openai-json/request-reader.ts';

/** `content` of a message or `output` of a call: a string, or a list of parts. */
export function toParts(reader: RequestReader, content: unknown, place: string): Part[] {
  if (typeof content === 'string') return [{ type: 'text', text: content }];
  if (content === undefined || content === null) {
    reader.missing(place);
    return [];
  }
  const parts: Part[] = [];
  for (const [index, value] of reader.list(content, place).entries()) {
    const at = `${place}[${index}]`;
    const part = toPart(reader, reader.requiredObject(value, at), at);
    if (part !== undefined) parts.push(part);
  }
  return parts;
}

function toPart(reader: RequestReader, part: JsonObject, place: string): Part | undefined {
  const type = reader.requiredText(part['type'], `${place}.type`);
  switch (type) {
    case 'input_text':
    case 'output_text':
    case 'text':
    case 'summary_text':
      return { type: 'text', text: reader.requiredText(part['text'], `${place}.text`) };
    case 'refusal':
      return { type: 'refusal', text: reader.requiredText(part['refusal'], `${place}.refusal`) };
    case 'input_image':
      return toImage(reader, part, place);
    case 'input_file':
      return toFile(reader, part, place);
    case 'input_audio': {
      const audio = reader.requiredObject(part['input_audio'], `${place}.input_audio`);
      return {
        type: 'audio',
        base64: reader.requiredText(audio['data'], `${place}.input_audio.data`),
        format: reader.requiredText(audio['format'], `${place}.input_audio.format`),
      };
    }
    default:
      reader.invalid(`${place}.type`, 'input_text, input_image, input_file, output_text or refusal', type);
      return undefined;
  }
}

/** On the web, or in the storage of a cloud that some providers read from. */
const ADDRESS = /^(https?|s3|gs):\/\//i;

function toImage(reader: RequestReader, part: JsonObject, place: string): Part | undefined {
  const detail = reader.text(part['detail'], `${place}.detail`);
  const fileId = reader.text(part['file_id'], `${place}.file_id`);
  if (fileId !== undefined) return { type: 'file', fileId };
  const url = reader.requiredText(part['image_url'], `${place}.image_url`);
  const inline = readDataUrl(url);
  if (inline) return { type: 'image', source: inline, detail };
  if (ADDRESS.test(url)) return { type: 'image', source: { url }, detail };
  reader.invalid(`${place}.image_url`, 'an http(s), s3 or gs address, or a base64 data: URL', url.slice(0, 30));
  return undefined;
}

function toFile(reader: RequestReader, part: JsonObject, place: string): Part | undefined {
  const filename = reader.text(part['filename'], `${place}.filename`);
  const fileId = reader.text(part['file_id'], `${place}.file_id`);
  if (fileId !== undefined) return { type: 'file', fileId, filename };
  const url = reader.text(part['file_url'], `${place}.file_url`);
  if (url !== undefined) return { type: 'file', url, filename };
  const data = reader.requiredText(part['file_data'], `${place}.file_data`);
  const inline = readDataUrl(data);
  if (inline) return { type: 'file', base64: inline.base64, mediaType: inline.mediaType, filename };
  return { type: 'file', base64: data, filename };
}
