import { inferenceParameters, ownHeaders, upstreamHeaders } from './openapi-headers.ts';

/** Images and audio in the OpenAPI document. */

const text = (description?: string) => ({ type: 'string', ...(description !== undefined && { description }) });
const oneOf = (...values: string[]) => ({ type: 'string', enum: values });
const file = (description: string) => ({ type: 'string', format: 'binary', description });
const model = text('`account/model`, or a bare id where it is clear whose it is');

/** Providers have sizes and qualities beyond those of OpenAI, and both change: none is refused here. */
const imageModel = { ...model, default: 'gpt-image-1.5' };
const ofImages = {
  model: imageModel,
  n: { type: 'integer', minimum: 1, maximum: 10, default: 1 },
  size: text('`1024x1024`, `1536x1024`, `auto` …, as the model has it'),
  quality: text('`standard`, `hd`, `low`, `medium`, `high`, `auto` …, as the model has it'),
  response_format: oneOf('url', 'b64_json'),
  stream: { type: 'boolean', default: false, description: 'Partial images as events, where the model has them' },
  partial_images: { type: 'integer', minimum: 0, maximum: 3 },
  user: text(),
};

export const imageGenerationRequest = {
  type: 'object',
  required: ['prompt'],
  properties: { ...ofImages, prompt: text('Text description of the image to generate') },
  additionalProperties: true,
};

export const imageGenerationResponse = {
  type: 'object',
  properties: {
    created: { type: 'integer' },
    data: {
      type: 'array',
      items: {
        type: 'object',
        properties: { url: { type: 'string', format: 'uri' }, b64_json: text(), revised_prompt: text() },
      },
    },
    usage: { type: 'object', description: 'Where the model counts tokens', additionalProperties: true },
  },
};

const imageFile = file('The image; several as `image[]`');
const eventsOf = (types: string) => ({
  'text/event-stream': {
    schema: { type: 'string', description: `SSE stream: one \`data: \` event each of ${types}; the last tells usage.` },
  },
});
const json = (schema: object) => ({ 'application/json': { schema } });
const form = (required: readonly string[], properties: object) => ({
  'multipart/form-data': { schema: { type: 'object', required, properties } },
});

interface Described {
  readonly summary: string;
  readonly description: string;
  readonly operationId: string;
  readonly tag: string;
  readonly request: object;
  readonly answered: string;
  readonly answer: object;
}

function post({ summary, description, operationId, tag, request, answered, answer }: Described) {
  const refused = (name: string) => ({ $ref: `#/components/responses/${name}` });
  return {
    post: {
      summary,
      description: `${description} Request and answer pass through byte for byte, but for the model’s name. Parameters that are not listed pass through.`,
      operationId,
      tags: [tag],
      parameters: Object.keys(inferenceParameters).map((name) => ({ $ref: `#/components/parameters/${name}` })),
      requestBody: { required: true, content: request },
      responses: {
        '200': { description: answered, headers: { ...ownHeaders, ...upstreamHeaders }, content: answer },
        '400': refused('BadRequest'),
        '401': refused('Unauthorized'),
        '403': refused('Forbidden'),
        '404': refused('NotFound'),
        '408': refused('Timeout'),
        '413': refused('TooLarge'),
        '429': refused('RateLimited'),
        '502': refused('UpstreamFailed'),
        '503': refused('Unavailable'),
        '504': refused('UpstreamTimeout'),
      },
    },
  };
}

const imageRequest = { $ref: '#/components/schemas/ImageGenerationRequest' };
const imageAnswer = json({ $ref: '#/components/schemas/ImageGenerationResponse' });
const transcript = {
  ...json({
    type: 'object',
    properties: { text: text(), usage: { type: 'object', additionalProperties: true } },
    additionalProperties: true,
  }),
  'text/plain': { schema: text('`text` and `srt`') },
  'text/vtt': { schema: text('`vtt`') },
};
const ofAudio = {
  file: file('Audio file; up to `limits.max_file_bytes`'),
  model,
  prompt: text(),
  response_format: oneOf('json', 'text', 'srt', 'verbose_json', 'vtt'),
  temperature: { type: 'number' },
};

export const mediaPaths = {
  '/images/generations': post({
    summary: 'Generate Images',
    description: 'Generate images from text prompts.',
    operationId: 'generateImages',
    tag: 'Images',
    request: json(imageRequest),
    answered: 'Generated images',
    answer: { ...imageAnswer, ...eventsOf('`image_generation.partial_image` and `image_generation.completed`') },
  }),
  '/images/edits': post({
    summary: 'Edit Images',
    description: 'Edit images by a prompt. As JSON, images are named by their addresses (`images: [{image_url}]`).',
    operationId: 'editImages',
    tag: 'Images',
    request: {
      ...form(['image', 'prompt'], {
        ...ofImages,
        prompt: text(),
        image: imageFile,
        mask: file('Where to edit'),
      }),
      ...json({ type: 'object', required: ['prompt'], additionalProperties: true }),
    },
    answered: 'Edited images',
    answer: { ...imageAnswer, ...eventsOf('`image_edit.partial_image` and `image_edit.completed`') },
  }),
  '/images/variations': post({
    summary: 'Vary Images',
    description: 'Make variations of an image.',
    operationId: 'varyImages',
    tag: 'Images',
    request: form(['image'], { ...ofImages, model: { ...model, default: 'dall-e-2' }, image: imageFile }),
    answered: 'Variations',
    answer: imageAnswer,
  }),
  '/audio/speech': post({
    summary: 'Create Speech',
    description: 'Generate audio speech from text input (text-to-speech). Audio is relayed chunk by chunk.',
    operationId: 'createSpeech',
    tag: 'Audio',
    request: json({
      type: 'object',
      // Some servers have one voice.
      required: ['model', 'input'],
      properties: {
        model,
        input: text('Text to synthesize'),
        voice: text('Voice selection'),
        response_format: oneOf('mp3', 'opus', 'aac', 'flac', 'wav', 'pcm'),
        speed: { type: 'number', minimum: 0.25, maximum: 4 },
        instructions: text(),
        stream_format: oneOf('audio', 'sse'),
      },
      additionalProperties: true,
    }),
    answered: 'Audio binary data, of the media type that the provider says',
    answer: {
      'audio/mpeg': { schema: { type: 'string', format: 'binary' } },
      'audio/*': { schema: { type: 'string', format: 'binary' } },
      ...eventsOf('`speech.audio.delta` and `speech.audio.done`'),
    },
  }),
  '/audio/transcriptions': post({
    summary: 'Create Transcription',
    description: 'Transcribe audio to text (speech-to-text). The parts of the form may stand in any order.',
    operationId: 'createTranscription',
    tag: 'Audio',
    request: form(['file', 'model'], {
      ...ofAudio,
      language: text('ISO 639-1 language code'),
      stream: { type: 'boolean', default: false },
      'timestamp_granularities[]': { type: 'array', items: oneOf('word', 'segment') },
    }),
    answered: 'Transcription result',
    answer: { ...transcript, ...eventsOf('`transcript.text.delta` and `transcript.text.done`') },
  }),
  '/audio/translations': post({
    summary: 'Create Translation',
    description: 'Translate speech into English text.',
    operationId: 'createTranslation',
    tag: 'Audio',
    request: form(['file', 'model'], ofAudio),
    answered: 'Translation result',
    answer: transcript,
  }),
};
