import type { DialectDocument } from '../dialect-document.ts';
import {
  file,
  form,
  freeObject,
  json,
  model,
  named,
  oneOf,
  PASSES,
  text,
  told,
  typedEvents,
} from '../openai-json/openapi-parts.ts';

/** Providers have sizes and qualities beyond those of OpenAI, and both change: none is refused here. */
const ofImages = {
  model: { ...model, default: 'gpt-image-1.5' },
  n: { type: 'integer', minimum: 1, maximum: 10, default: 1 },
  size: told('`1024x1024`, `1536x1024`, `auto` …, as the model has it'),
  quality: told('`standard`, `hd`, `low`, `medium`, `high`, `auto` …, as the model has it'),
  response_format: oneOf('url', 'b64_json'),
  stream: { type: 'boolean', default: false, description: 'Partial images as events, where the model has them' },
  partial_images: { type: 'integer', minimum: 0, maximum: 3 },
  user: text,
};

const request = {
  ...freeObject,
  required: ['prompt'],
  properties: { ...ofImages, prompt: told('Text description of the image to generate') },
};

const response = {
  type: 'object',
  properties: {
    created: { type: 'integer' },
    data: {
      type: 'array',
      items: {
        type: 'object',
        properties: { url: { type: 'string', format: 'uri' }, b64_json: text, revised_prompt: text },
      },
    },
    usage: { type: 'object', description: 'Where the model counts tokens', additionalProperties: true },
  },
};

const imageFile = file('The image; several as `image[]`');

const tag = { name: 'Images', description: 'Image generation, edits and variations' };
const answer = json(named('ImageGenerationResponse'));

export const generated: DialectDocument = {
  summary: 'Generate Images',
  description: `Generate images from text prompts. ${PASSES}`,
  operationId: 'generateImages',
  tag,
  request: json(named('ImageGenerationRequest')),
  answered: 'Generated images',
  answer: { ...answer, ...typedEvents('`image_generation.partial_image` and `image_generation.completed`') },
  schemas: { ImageGenerationRequest: request, ImageGenerationResponse: response },
};

export const edited: DialectDocument = {
  summary: 'Edit Images',
  description: `Edit images by a prompt. As JSON, images are named by their addresses (\`images: [{image_url}]\`). ${PASSES}`,
  operationId: 'editImages',
  tag,
  request: {
    ...form(['image', 'prompt'], { ...ofImages, prompt: text, image: imageFile, mask: file('Where to edit') }),
    ...json({ ...freeObject, required: ['prompt'] }),
  },
  answered: 'Edited images',
  answer: { ...answer, ...typedEvents('`image_edit.partial_image` and `image_edit.completed`') },
  schemas: { ImageGenerationResponse: response },
};

export const varied: DialectDocument = {
  summary: 'Vary Images',
  description: `Make variations of an image. ${PASSES}`,
  operationId: 'varyImages',
  tag,
  request: form(['image'], { ...ofImages, model: { ...model, default: 'dall-e-2' }, image: imageFile }),
  answered: 'Variations',
  answer,
  schemas: { ImageGenerationResponse: response },
};
