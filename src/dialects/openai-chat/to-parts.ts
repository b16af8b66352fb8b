import type { JsonObject } from '../../codec/json-value.ts';
import type { Part } from '../../inference/request.ts';
import { readDataUrl } from '../openai-json/data-url.ts';
import type { RequestReader } from '../openai-json/request-reader.ts';

/** `content` of a message: a string, or a list of parts. Nothing is no parts. */
export function toParts(reader: RequestReader, content: unknown, place: string): Part[] {
  if (content === undefined || content === null) return [];
  if (typeof content === 'string') return [{ type: 'text', text: content }];
  if (!Array.isArray(content)) {
    reader.invalid(place, 'a string or a list of parts', content);
    return [];
  }
  const parts: Part[] = [];
  for (const [index, value] of content.entries()) {
    const at = `${place}[${index}]`;
    const source = reader.requiredObject(value, at);
    const part = toPart(reader, source, at);
    if (part === undefined) continue;
    if (source['cache_control']) part.cacheControl = source['cache_control'];
    parts.push(part);
  }
  return parts;
}

function toPart(reader: RequestReader, part: JsonObject, place: string): Part | undefined {
  const type = reader.requiredText(part['type'], `${place}.type`);
  switch (type) {
    case 'text':
      return { type: 'text', text: reader.requiredText(part['text'], `${place}.text`) };
    case 'image_url':
      return toImage(reader, part['image_url'], `${place}.image_url`);
    case 'input_audio': {
      const audio = reader.requiredObject(part['input_audio'], `${place}.input_audio`);
      return {
        type: 'audio',
        base64: reader.requiredText(audio['data'], `${place}.input_audio.data`),
        format: reader.requiredText(audio['format'], `${place}.input_audio.format`),
      };
    }
    case 'file':
      return toFile(reader, reader.requiredObject(part['file'], `${place}.file`), `${place}.file`);
    case 'refusal':
      return { type: 'refusal', text: reader.requiredText(part['refusal'], `${place}.refusal`) };
    case 'thinking':
      return {
        type: 'reasoning',
        text: reader.requiredText(part['thinking'], `${place}.thinking`),
        signature: reader.text(part['signature'], `${place}.signature`),
      };
    case 'redacted_thinking':
      return { type: 'redacted-reasoning', data: reader.requiredText(part['data'], `${place}.data`) };
    default:
      reader.invalid(`${place}.type`, 'text, image_url, input_audio, file, refusal or thinking', type);
      return undefined;
  }
}

/** On the web, or in the storage of a cloud that some providers read from. */
const ADDRESS = /^(https?|s3|gs):\/\//i;

/** OpenAI wants `{url, detail}`; some clients send the address alone. */
function toImage(reader: RequestReader, value: unknown, place: string): Part | undefined {
  const image: JsonObject = typeof value === 'string' ? { url: value } : reader.requiredObject(value, place);
  const url = reader.requiredText(image['url'], `${place}.url`);
  const detail = reader.text(image['detail'], `${place}.detail`);
  const inline = readDataUrl(url);
  if (inline) return { type: 'image', source: inline, detail };
  if (ADDRESS.test(url)) return { type: 'image', source: { url }, detail };
  reader.invalid(`${place}.url`, 'an http(s), s3 or gs address, or a base64 data: URL', url.slice(0, 30));
  return undefined;
}

function toFile(reader: RequestReader, file: JsonObject, place: string): Part | undefined {
  const filename = reader.text(file['filename'], `${place}.filename`);
  const fileId = reader.text(file['file_id'], `${place}.file_id`);
  if (fileId !== undefined) return { type: 'file', fileId, filename };
  const data = reader.requiredText(file['file_data'], `${place}.file_data`);
  const inline = readDataUrl(data);
  if (inline) return { type: 'file', base64: inline.base64, mediaType: inline.mediaType, filename };
  if (ADDRESS.test(data)) return { type: 'file', url: data, filename };
  return { type: 'file', base64: data, mediaType: reader.text(file['format'], `${place}.format`), filename };
}
