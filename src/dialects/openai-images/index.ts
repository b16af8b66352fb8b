import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';
import { servedAfter, servedAs } from '../../inference/served-as.ts';
import { MAX_COUNT } from '../../inference/usage.ts';
import type { AnswerForm } from '../answer-form.ts';
import type { PeekedRequest } from '../dialect.ts';
import { formDialect } from '../openai-json/form-dialect.ts';
import type { FormValues } from '../openai-json/form-scan.ts';
import { jsonAnswers } from '../openai-json/json-answers.ts';
import { jsonDialect } from '../openai-json/json-dialect.ts';
import { wrong } from '../openai-json/request-scan.ts';
import { typedReader } from '../openai-json/typed-events.ts';
import { fromInference } from './from-inference.ts';
import { imageEvents } from './to-events.ts';
import { fromForm, fromJson } from './to-inference.ts';

const KEYS = ['n', 'stream', 'size', 'quality', 'response_format'];
const whole = jsonAnswers(['svg_usage']);
/** What OpenAI takes where none is named; its variations were made by one model alone. */
const DEFAULT_MODEL = 'gpt-image-1.5';
const VARIED_BY = 'dall-e-2';

/** OpenAI's images: https://platform.openai.com/docs/api-reference/images/create */
export const openAiImages = jsonDialect({
  name: 'openai-images',
  operation: 'image',
  patterns: ['/images/generations'],
  openapi: async () => (await import('./openapi.ts')).generated,
  required: ['prompt'],
  defaultModel: DEFAULT_MODEL,
  more: {
    keys: KEYS,
    read: (scan, body, first) =>
      peekImages({
        word: (name) => scan.word(body, first + KEYS.indexOf(name)),
        flag: (name) => scan.flag(body, first + KEYS.indexOf(name)),
        count: (name) => scan.count(body, first + KEYS.indexOf(name)),
      }),
  },
  answers: streamed('image_generation'),
  translation: { to: ['image'], toInference: fromJson('generation'), fromInference },
  promptText: () => ({ text: '', extraTokens: 0, scale: 1 }),
});

/** https://platform.openai.com/docs/api-reference/images/createEdit */
export const openAiImageEdits = formDialect({
  name: 'openai-image-edits',
  operation: 'image-edit',
  pattern: '/images/edits',
  openapi: async () => (await import('./openapi.ts')).edited,
  keys: KEYS,
  words: ['prompt'],
  peek: peekImages,
  answers: streamed('image_edit'),
  jsonRequires: ['prompt'],
  defaultModel: DEFAULT_MODEL,
  translation: { to: ['image-edit'], toInference: fromJson('edit'), fromForm: fromForm('edit'), fromInference },
});

/** https://platform.openai.com/docs/api-reference/images/createVariation */
export const openAiImageVariations = formDialect({
  name: 'openai-image-variations',
  operation: 'image-variation',
  pattern: '/images/variations',
  openapi: async () => (await import('./openapi.ts')).varied,
  keys: KEYS,
  peek: (values) => {
    const said = peekImages(values);
    // It has no streams: whoever asks for one is refused by the provider.
    return said instanceof GatewayError ? said : { ...said, stream: false };
  },
  answers: whole,
  defaultModel: VARIED_BY,
  translation: {
    to: ['image-variation'],
    toInference: fromJson('variation'),
    fromForm: fromForm('variation'),
    fromInference,
  },
});

/** The number that is asked for is counted where the answer tells none, so it is bounded as counts of answers are. */
function peekImages(values: FormValues): OrError<Partial<PeekedRequest>> {
  const stream = values.flag('stream');
  if (stream instanceof GatewayError) return stream;
  const asked = values.count('n');
  if (asked instanceof GatewayError) return asked;
  if (asked !== undefined && asked > MAX_COUNT) return wrong('n', `It may be up to ${MAX_COUNT}.`);
  const choices = Math.max(1, asked ?? 1);
  const wish = servedAs({ imageSize: values.word('size'), imageQuality: values.word('quality') });
  return {
    stream,
    choices,
    format: values.word('response_format') || undefined,
    counted: { outputImages: choices },
    servedAs: wish && servedAfter(undefined, wish),
  };
}

function streamed(type: string): AnswerForm {
  const last = new RegExp(`^${type}\\.completed$`);
  return {
    ...whole,
    stream: (_, told) => typedReader(last, told),
    toEvents: (answer) => imageEvents(answer, `${type}.completed`),
  };
}
