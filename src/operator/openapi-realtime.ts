import { parameter, response } from './openapi-answers.ts';
import { ownHeaders } from './openapi-headers.ts';

/** Realtime sessions in the OpenAPI document, which knows of WebSockets no more than their handshake. */

const refusals = {
  '400': response('BadRequest'),
  '401': response('Unauthorized'),
  '403': response('Forbidden'),
  '404': response('NotFound'),
  '429': response('RateLimited'),
  '502': response('UpstreamFailed'),
  '503': response('Unavailable'),
  '504': response('UpstreamTimeout'),
};
const upgraded = { description: 'Messages pass both ways, in the form of the provider of the model' };
const parameters = [parameter('RequestId'), parameter('Metadata')];

/** Settings of a session are many in OpenAI's form: here are those that most sessions have. */
const session = {
  type: 'object',
  description: 'How sessions begin: at most 4,096 bytes beside type and model',
  properties: {
    type: { type: 'string', enum: ['realtime', 'transcription'], default: 'realtime' },
    model: {
      type: 'string',
      description: '`account/model`; of `transcription` it stands in `audio.input.transcription.model`',
    },
    instructions: { type: 'string' },
    audio: { type: 'object' },
  },
};
const secretRequest = {
  type: 'object',
  required: ['session'],
  properties: {
    expires_after: {
      type: 'object',
      properties: {
        anchor: { type: 'string', enum: ['created_at'] },
        seconds: { type: 'integer', minimum: 10, maximum: 7_200, default: 600 },
      },
    },
    session,
  },
};
const secretAnswer = {
  type: 'object',
  required: ['value', 'expires_at', 'session'],
  properties: {
    value: { type: 'string', description: 'Begins with `ek_`' },
    expires_at: { type: 'integer', description: 'Seconds since the Unix epoch' },
    session: { type: 'object' },
  },
};

export const realtimePaths = {
  '/realtime': {
    get: {
      operationId: 'openRealtimeSession',
      summary: 'Opens a realtime session over a WebSocket',
      tags: ['Realtime'],
      parameters: [
        {
          name: 'model',
          in: 'query',
          schema: { type: 'string' },
          description:
            '`account/model`; where a secret opens the session, or the first message names it, it may be absent',
        },
        {
          name: 'intent',
          in: 'query',
          schema: { type: 'string', enum: ['transcription'] },
          description: 'A session that transcribes what is said, and answers nothing',
        },
        ...parameters,
      ],
      responses: { '101': upgraded, ...refusals },
    },
  },
  '/realtime/client_secrets': {
    post: {
      operationId: 'createRealtimeClientSecret',
      summary: 'Makes a secret with which a browser opens sessions of one model',
      tags: ['Realtime'],
      parameters,
      requestBody: { required: true, content: { 'application/json': { schema: secretRequest } } },
      responses: {
        '200': {
          description: 'The secret',
          headers: ownHeaders,
          content: { 'application/json': { schema: secretAnswer } },
        },
        '400': response('BadRequest'),
        '401': response('Unauthorized'),
        '403': response('Forbidden'),
        '404': response('NotFound'),
        '413': response('TooLarge'),
        '503': response('Unavailable'),
      },
    },
  },
  '/live/{account}/{path}': {
    get: {
      operationId: 'openLiveSession',
      summary: 'Opens a realtime session at a path of the account’s vendor',
      tags: ['Realtime'],
      parameters: [
        { name: 'account', in: 'path', required: true, schema: { type: 'string' } },
        {
          name: 'path',
          in: 'path',
          required: true,
          schema: { type: 'string' },
          description: 'As the vendor’s SDK asks',
        },
        {
          name: 'model',
          in: 'query',
          schema: { type: 'string' },
          description: 'Where the first message does not name it',
        },
        ...parameters,
      ],
      responses: { '101': upgraded, ...refusals },
    },
  },
};
