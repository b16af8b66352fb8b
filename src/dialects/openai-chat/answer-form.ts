import type { AnswerForm } from '../answer-form.ts';
import { beginning, end, whole } from '../openai-json/choice-facts.ts';
import { chatReader } from './stream-reader.ts';
import { toEvents } from './to-events.ts';
import { toWhole } from './to-whole.ts';

/** Chat completions, whole and streamed: https://platform.openai.com/docs/api-reference/chat */
export const answerForm = {
  stream: chatReader,
  whole,
  beginning,
  end,
  toEvents,
  toWhole,
} satisfies AnswerForm;
