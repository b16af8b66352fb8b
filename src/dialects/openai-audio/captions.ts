import type { Transcript } from '../../inference/event.ts';
import type { SpokenPart } from '../../inference/transcription.ts';

/** Two lines of a caption, and as long as one stays to be read. */
const MAX_CHARACTERS = 84;
const MAX_SECONDS = 7;
/** A silence that ends a caption. */
const PAUSE_SECONDS = 1;
const ENDS_SENTENCE = /[.!?…。！？]["'”’)\]]*$/;

/** The segments that the provider told, else its words put together; undefined: it told no times. */
export function captionsOf({ segments, words, text }: Transcript): readonly SpokenPart[] | undefined {
  if (segments !== undefined && segments.length > 0) return segments;
  if (words !== undefined) return fromWords(words);
  // Nobody spoke.
  return segments !== undefined || text.trim() === '' ? [] : undefined;
}

function fromWords(words: readonly SpokenPart[]): SpokenPart[] {
  const captions: SpokenPart[] = [];
  let open: { text: string; start: number; end: number; speaker?: string | undefined } | undefined;
  for (const { text: word, start, end, speaker } of words) {
    const isNew =
      open === undefined ||
      open.speaker !== speaker ||
      start - open.end > PAUSE_SECONDS ||
      end - open.start > MAX_SECONDS ||
      open.text.length + 1 + word.length > MAX_CHARACTERS ||
      ENDS_SENTENCE.test(open.text);
    if (isNew) {
      open = { text: word.trim(), start, end, ...(speaker !== undefined && { speaker }) };
      captions.push(open);
    } else {
      open!.text += ` ${word.trim()}`;
      open!.end = end;
    }
  }
  return captions;
}
