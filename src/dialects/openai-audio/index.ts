import { GatewayError } from '../../core/errors.ts';
import type { AnswerForm } from '../answer-form.ts';
import { formDialect } from '../openai-json/form-dialect.ts';
import type { FormValues } from '../openai-json/form-scan.ts';
import { jsonAnswers } from '../openai-json/json-answers.ts';
import { jsonDialect } from '../openai-json/json-dialect.ts';
import { typedReader } from '../openai-json/typed-events.ts';
import { guardedTranscript } from './guarded.ts';
import { fromInference } from './spoken-audio.ts';
import { spokenCharacters } from './spoken-characters.ts';
import { SpokenPieces, speechEvents, transcriptEvents } from './to-events.ts';
import { toInference } from './to-speech-request.ts';
import { toTranscriptionRequest } from './to-transcription-request.ts';
import { writeTranscript } from './transcripts.ts';

/** Seconds stand beside the text in `verbose_json`. */
const transcript = jsonAnswers(['duration']);
const transcripts: AnswerForm = {
  ...transcript,
  media: 'any',
  stream: (_, told) => typedReader(/^transcript\.text\.done$/, told),
  toEvents: transcriptEvents,
};

/** OpenAI's speech: https://platform.openai.com/docs/api-reference/audio/createSpeech */
export const openAiSpeech = jsonDialect({
  name: 'openai-speech',
  operation: 'speech',
  patterns: ['/audio/speech'],
  openapi: async () => (await import('./openapi.ts')).spoken,
  required: ['input'],
  more: {
    keys: ['stream_format', 'response_format'],
    read: (scan, body, first) => ({
      choices: 1,
      stream: scan.word(body, first) === 'sse',
      format: scan.word(body, first + 1),
      counted: { inputCharacters: spokenCharacters(body, scan.starts[1]!, scan.ends[1]!) },
    }),
  },
  answers: {
    ...jsonAnswers(),
    media: 'any',
    stream: (_, told) => typedReader(/^speech\.audio\.done$/, told),
    toEvents: speechEvents,
    eventsOfBytes: () => new SpokenPieces(),
  },
  translation: { to: ['speech'], toInference, fromInference },
  promptText: () => ({ text: '', extraTokens: 0, scale: 1 }),
});

/** OpenAI's transcripts: https://platform.openai.com/docs/api-reference/audio/createTranscription */
export const openAiTranscriptions = formDialect({
  name: 'openai-transcriptions',
  operation: 'transcription',
  pattern: '/audio/transcriptions',
  openapi: async () => (await import('./openapi.ts')).transcribed,
  keys: ['stream', 'response_format'],
  words: ['prompt'],
  guardedAnswers: guardedTranscript,
  peek(values) {
    const stream = values.flag('stream');
    return typeof stream === 'boolean' ? { stream, format: formatOf(values), counted: {} } : stream;
  },
  answers: transcripts,
  translation: {
    to: ['transcription'],
    toInference: onlyForms,
    fromForm: (form, model) => toTranscriptionRequest(form, model, false),
    fromInference: writeTranscript,
  },
});

/** OpenAI's translations into English: https://platform.openai.com/docs/api-reference/audio/createTranslation */
export const openAiTranslations = formDialect({
  name: 'openai-translations',
  operation: 'audio-translation',
  pattern: '/audio/translations',
  openapi: async () => (await import('./openapi.ts')).translated,
  keys: ['response_format'],
  words: ['prompt'],
  guardedAnswers: guardedTranscript,
  peek: (values) => ({ format: formatOf(values), counted: {} }),
  answers: { ...transcript, media: 'any' },
  translation: {
    to: ['audio-translation'],
    toInference: onlyForms,
    fromForm: (form, model) => toTranscriptionRequest(form, model, true),
    fromInference: writeTranscript,
  },
});

function formatOf(values: FormValues): string | undefined {
  return values.word('response_format') || undefined;
}

/** The scan has refused all else. */
function onlyForms(): GatewayError {
  return new GatewayError('invalid_multipart');
}
