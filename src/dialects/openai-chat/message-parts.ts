import type { ContentEvent } from '../../inference/event.ts';
import type { AnswerContext } from '../dialect.ts';

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

/**
 * `audio` of a message. Nothing is kept here, so its id stands for nothing that a later request could name, and it has
 * expired when it arrives. What the provider calls its bytes goes along: they may not be of the format that was asked for.
 * https://platform.openai.com/docs/api-reference/chat/object (`message.audio`)
 */
export function audioPart(
  { mediaType, base64 }: Pick<Extract<ContentEvent, { type: 'audio' }>, 'mediaType' | 'base64'>,
  { exchangeId, created, strict }: AnswerContext,
): object {
  const own = { id: `audio_${exchangeId}`, data: base64, expires_at: created, transcript: '' };
  return strict ? own : { ...own, mime_type: mediaType };
}
