import { isArray } from '../../codec/json-value.ts';
import { type GuardedForm, slotAt, type TextSlot, wordsBelow } from '../guarded-form.ts';

/** Names, kinds and pictures: no words of anybody. */
const NO_WORDS: ReadonlySet<string> = new Set([
  'id',
  'type',
  'format',
  'image_base64',
  'dimensions',
  'confidence_scores',
]);

/** Where the words of a document stand: https://docs.mistral.ai/api/endpoint/ocr */
export const guarded: GuardedForm = {
  request(body) {
    const slot = slotAt(body, 'document_annotation_prompt', { kind: 'text', role: 'user' });
    return slot === undefined ? [] : [slot];
  },
  answer(body) {
    const slots: TextSlot[] = [];
    const { pages } = body;
    // Markdown, tables, headers, footers, blocks and notes of pictures, page by page.
    if (isArray(pages)) for (const at of pages.keys()) wordsBelow(pages, String(at), { kind: 'text' }, slots, isNoWord);
    wordsBelow(body, 'document_annotation', { kind: 'text' }, slots, isNoWord);
    return slots;
  },
};

function isNoWord(key: string): boolean {
  return NO_WORDS.has(key);
}
