import type { ContentEvent } from '../../inference/event.ts';

/** https://platform.openai.com/docs/api-reference/chat/object (`message.annotations`) */
export function urlCitation({ url, title, start, end }: Extract<ContentEvent, { type: 'citation' }>): object {
  return {
    type: 'url_citation',
    url_citation: { url, title: title ?? url, start_index: start ?? 0, end_index: end ?? 0 },
  };
}

/** The extension field `images` of a message, as OpenRouter has it: one entry an image, as a data: URL. */
export function imagePart({ mediaType, base64 }: Extract<ContentEvent, { type: 'image' }>): object {
  return { type: 'image_url', image_url: { url: `data:${mediaType};base64,${base64}` } };
}
