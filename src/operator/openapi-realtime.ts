import { parameter, response } from './openapi-answers.ts';

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

export const realtimePaths = {
  '/realtime': {
    get: {
      operationId: 'openRealtimeSession',
      summary: 'Opens a realtime session over a WebSocket',
      tags: ['Realtime'],
      parameters: [
        { name: 'model', in: 'query', required: true, schema: { type: 'string' }, description: '`account/model`' },
        ...parameters,
      ],
      responses: { '101': upgraded, ...refusals },
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
