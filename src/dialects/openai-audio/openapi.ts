import type { DialectDocument } from '../dialect-document.ts';
import {
  file,
  form,
  freeObject,
  json,
  model,
  oneOf,
  PASSES,
  text,
  told,
  typedEvents,
} from '../openai-json/openapi-parts.ts';

const transcript = {
  ...json({ ...freeObject, properties: { text, usage: freeObject } }),
  'text/plain': { schema: told('`text` and `srt`') },
  'text/vtt': { schema: told('`vtt`') },
};
const ofAudio = {
  file: file('Audio file; up to `limits.max_file_bytes`'),
  model,
  prompt: text,
  response_format: oneOf('json', 'text', 'srt', 'verbose_json', 'vtt'),
  temperature: { type: 'number' },
};
const tag = { name: 'Audio', description: 'Speech, transcription and translation' };
const bytes = { schema: { ...text, format: 'binary' } };

export const spoken: DialectDocument = {
  summary: 'Create Speech',
  description: `Generate audio speech from text input (text-to-speech). Audio is relayed chunk by chunk. ${PASSES}`,
  operationId: 'createSpeech',
  tag,
  request: json({
    ...freeObject,
    // Some servers have one voice.
    required: ['model', 'input'],
    properties: {
      model,
      input: told('Text to synthesize'),
      voice: told('Voice selection'),
      response_format: oneOf('mp3', 'opus', 'aac', 'flac', 'wav', 'pcm'),
      speed: { type: 'number', minimum: 0.25, maximum: 4 },
      instructions: text,
      stream_format: oneOf('audio', 'sse'),
    },
  }),
  answered: 'Audio binary data, of the media type that the provider says',
  answer: {
    'audio/mpeg': bytes,
    'audio/*': bytes,
    ...typedEvents('`speech.audio.delta` and `speech.audio.done`'),
  },
};

export const transcribed: DialectDocument = {
  summary: 'Create Transcription',
  description: `Transcribe audio to text (speech-to-text). The parts of the form may stand in any order. ${PASSES}`,
  operationId: 'createTranscription',
  tag,
  request: form(['file', 'model'], {
    ...ofAudio,
    language: told('ISO 639-1 language code'),
    stream: { type: 'boolean', default: false },
    'timestamp_granularities[]': { type: 'array', items: oneOf('word', 'segment') },
  }),
  answered: 'Transcription result',
  answer: { ...transcript, ...typedEvents('`transcript.text.delta` and `transcript.text.done`') },
};

export const translated: DialectDocument = {
  summary: 'Create Translation',
  description: `Translate speech into English text. ${PASSES}`,
  operationId: 'createTranslation',
  tag,
  request: form(['file', 'model'], ofAudio),
  answered: 'Translation result',
  answer: transcript,
};
