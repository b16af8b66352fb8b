import { isArray, isObject, objectOf, stringOf } from '../../codec/json-value.ts';
import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';
import type { FilePart, ReadForm } from '../../inference/form-part.ts';
import type { ImageRequest, ImageSource } from '../../inference/image.ts';
import { others, parsedRequest } from '../openai-json/parsed-request.ts';
import { RequestReader } from '../openai-json/request-reader.ts';
import { missing } from '../openai-json/request-scan.ts';

const READ: ReadonlySet<string> = new Set([
  'image',
  'images',
  'mask',
  'model',
  'n',
  'output_format',
  'partial_images',
  'prompt',
  'quality',
  'response_format',
  'size',
  'stream',
  // Harmless: how strictly it is moderated, how much it is packed, and who asks.
  'moderation',
  'output_compression',
  'user',
]);
const DATA_URL = /^data:([\w.+-]+\/[\w.+-]+);base64,(.*)$/s;

/** `form`: with images by their fields; else they are named by their addresses. */
type Asked = 'generation' | 'edit' | 'variation';

/** JSON: https://platform.openai.com/docs/api-reference/images/create, and edits of images that are named by address. */
export function fromJson(asked: Asked): (body: Buffer, model: string) => OrError<ImageRequest> {
  return (body, model) => {
    const value = parsedRequest(body);
    if (value instanceof GatewayError) return value;
    const reader = new RequestReader();
    const sources: ImageSource[] = [];
    const { image, images = image } = value;
    for (const [index, each] of (isArray(images) ? images : images === undefined ? [] : [images]).entries()) {
      const source = sourceOf(each);
      if (source === undefined) reader.invalid(`images[${index}]`, 'an address, as `{"image_url": "data:…"}`', each);
      else sources.push(source);
    }
    const { mask: said } = value;
    const mask = said === undefined || said === null ? undefined : sourceOf(said);
    if (said && mask === undefined) reader.invalid('mask', 'an address, as `{"image_url": "data:…"}`', said);
    if (asked !== 'generation' && sources.length === 0) return missing('image');
    return reader.fault ?? requestOf(value, { model, sources, mask });
  };
}

/** A multipart form: https://platform.openai.com/docs/api-reference/images/createEdit */
export function fromForm(asked: Asked): (form: ReadForm, model: string) => OrError<ImageRequest> {
  return ({ fields, files }, model) => {
    const sources = files.filter(({ name }) => name === 'image' || name === 'image[]');
    const mask = files.find(({ name }) => name === 'mask');
    const [first] = sources;
    if (first === undefined) return missing('image');
    if (asked === 'edit' && !fields.some(([name]) => name === 'prompt')) return missing('prompt');
    const values = Object.fromEntries(
      fields.map(([name, text]) => [name, name === 'n' && text !== '' ? Number(text) : text]),
    );
    return requestOf(values, { model, sources: sources.map(typed), mask: mask && typed(mask) });
  };
}

function requestOf(
  value: Readonly<Record<string, unknown>>,
  given: Pick<ImageRequest, 'model' | 'sources' | 'mask'>,
): OrError<ImageRequest> {
  const reader = new RequestReader();
  const said = (name: string) => reader.text(value[name], name) || undefined;
  const wish = (name: string) => {
    const word = said(name);
    return word === 'auto' ? undefined : word;
  };
  const background = wish('background');
  if (background !== undefined && background !== 'opaque') {
    reader.unsupported('background', 'Its provider makes no transparent backgrounds.');
  }
  const request: ImageRequest = {
    ...given,
    prompt: said('prompt'),
    images: reader.wholeNumber(value['n'], 'n') || 1,
    size: wish('size')?.toLowerCase(),
    quality: wish('quality')?.toLowerCase(),
    asUrl: said('response_format') === 'url',
    outputFormat: said('output_format')?.toLowerCase(),
    extra: others(value, new Set([...READ, 'background', 'input_fidelity', 'style'])),
  };
  return reader.fault ?? request;
}

/** Some clients send no type of their own. */
function typed(file: FilePart): FilePart {
  if (file.mediaType?.startsWith('image/')) return file;
  const [, ending = 'png'] = /\.(jpe?g|webp|gif|png)$/i.exec(file.filename ?? '') ?? [];
  return { ...file, mediaType: `image/${ending.toLowerCase().replace('jpg', 'jpeg')}` };
}

/** `{image_url: "…"}`, `{url: "…"}`, `{type: "image_url", image_url: {url: "…"}}`, or the address alone. */
function sourceOf(said: unknown): ImageSource | undefined {
  const inner = isObject(said) ? (said['image_url'] ?? said['url']) : said;
  const url = isObject(inner) ? objectOf(inner)?.['url'] : inner;
  const text = stringOf(url);
  if (text === undefined) return undefined;
  const [, mediaType, base64] = DATA_URL.exec(text) ?? [];
  if (mediaType !== undefined && base64 !== undefined) return { mediaType, base64 };
  return /^(https?|gs):\/\//.test(text) ? { url: text } : undefined;
}
