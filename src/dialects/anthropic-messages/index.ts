import type { ApiForm } from '../dialect.ts';
import { answerForm } from './answer-form.ts';
import { answerText } from './answer-text.ts';
import { errorBody, errorEvent } from './error-body.ts';
import { promptText } from './prompt-text.ts';

/** Anthropic's Messages: https://platform.claude.com/docs/en/api/messages */
export const anthropicMessages = {
  name: 'anthropic-messages',
  answers: answerForm,
  promptText,
  answerText,
  errorBody,
  errorEvent,
} satisfies ApiForm;
