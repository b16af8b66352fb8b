import { inferenceParameters, ownHeaders, upstreamHeaders } from './openapi-headers.ts';

/** Anthropic's form: POST /messages and /messages/count_tokens. What is not named here passes through where it is spoken. */

const response = (name: string) => ({ $ref: `#/components/responses/${name}` });
const freeObject = { type: 'object', additionalProperties: true } as const;
const objects = { type: 'array', items: freeObject } as const;

const messageRequest = {
  type: 'object',
  required: ['model', 'messages'],
  additionalProperties: true,
  properties: {
    model: { type: 'string', minLength: 1, maxLength: 256, description: '`account/model`, or a bare id' },
    messages: { type: 'array', items: freeObject, description: 'Turns of user and assistant, with blocks of content' },
    max_tokens: { type: 'integer', minimum: 0 },
    system: { oneOf: [{ type: 'string' }, objects] },
    stream: { type: 'boolean', default: false },
    tools: objects,
    tool_choice: freeObject,
    thinking: freeObject,
    output_config: freeObject,
    stop_sequences: { type: 'array', items: { type: 'string' } },
    temperature: { type: 'number' },
    top_p: { type: 'number' },
    top_k: { type: 'integer' },
    metadata: freeObject,
  },
} as const;

/** As the other endpoints, told in Anthropic's form. */
const refusals = {
  '400': response('BadRequest'),
  '401': response('Unauthorized'),
  '403': response('Forbidden'),
  '404': response('NotFound'),
  '408': response('Timeout'),
  '413': response('TooLarge'),
  '429': response('RateLimited'),
  '502': response('UpstreamFailed'),
  '503': response('Unavailable'),
  '504': response('UpstreamTimeout'),
};
const parameters = Object.keys(inferenceParameters).map((name) => ({ $ref: `#/components/parameters/${name}` }));
const requestBody = { required: true, content: { 'application/json': { schema: messageRequest } } };

export const messagePaths = {
  '/messages': {
    post: {
      summary: 'Create Message',
      description:
        "Anthropic's Messages to any model: bytes pass where the provider speaks the form, else they are translated both ways. Errors are `{type: error, error: {type, message}, request_id}`.",
      operationId: 'createMessage',
      tags: ['Messages'],
      parameters,
      requestBody,
      responses: {
        '200': {
          description: 'A message',
          headers: { ...ownHeaders, ...upstreamHeaders },
          content: {
            'application/json': { schema: freeObject },
            'text/event-stream': {
              schema: {
                type: 'string',
                description: 'Named events from `message_start` to `message_stop`; `ping` fills silence',
              },
            },
          },
        },
        ...refusals,
      },
    },
  },
  '/messages/count_tokens': {
    post: {
      summary: 'Count Message Tokens',
      description:
        'Counted by the provider where it counts, else estimated: then `x-sluice-estimated: input_tokens` says so. Free of charge.',
      operationId: 'countMessageTokens',
      tags: ['Messages'],
      parameters,
      requestBody,
      responses: {
        '200': {
          description: 'How many tokens the prompt has',
          headers: {
            ...ownHeaders,
            'x-sluice-estimated': { description: 'What of the answer is an estimate', schema: { type: 'string' } },
          },
          content: {
            'application/json': {
              schema: { type: 'object', required: ['input_tokens'], properties: { input_tokens: { type: 'integer' } } },
            },
          },
        },
        ...refusals,
      },
    },
  },
};
