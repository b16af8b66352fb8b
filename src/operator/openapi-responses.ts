import { ownHeaders } from './openapi-headers.ts';

/** Responses that are kept, in the OpenAPI document. */

const response = (name: string) => ({ $ref: `#/components/responses/${name}` });
const json = (schema: object) => ({ 'application/json': { schema } });
const requestId = { $ref: '#/components/parameters/RequestId' };
const responseId = { name: 'response_id', in: 'path', required: true, schema: { type: 'string' } };
const ofOne = {
  '400': response('BadRequest'),
  '401': response('Unauthorized'),
  '404': response('NotFound'),
  '503': response('Unavailable'),
};
const tags = ['Responses'];
const answered = (description: string, schema: object) => ({
  '200': { description, headers: ownHeaders, content: json(schema) },
  ...ofOne,
});

export const responsePaths = {
  '/responses/{response_id}': {
    get: {
      summary: 'Get Response',
      description: 'A response of the caller that is kept, as it was answered.',
      operationId: 'getResponse',
      tags,
      parameters: [responseId, requestId],
      responses: answered('The response', { $ref: '#/components/schemas/Response' }),
    },
    delete: {
      summary: 'Delete Response',
      description: 'It is kept no more here; what its provider keeps of it stays.',
      operationId: 'deleteResponse',
      tags,
      parameters: [responseId, requestId],
      responses: answered('It is deleted', {
        type: 'object',
        required: ['id', 'object', 'deleted'],
        properties: {
          id: { type: 'string' },
          object: { type: 'string', enum: ['response'] },
          deleted: { type: 'boolean' },
        },
      }),
    },
  },
  '/responses/{response_id}/input_items': {
    get: {
      summary: 'List Input Items',
      description: 'The items of its own turn.',
      operationId: 'listInputItems',
      tags,
      parameters: [
        responseId,
        { name: 'limit', in: 'query', schema: { type: 'integer', minimum: 1, maximum: 100, default: 20 } },
        { name: 'order', in: 'query', schema: { type: 'string', enum: ['asc', 'desc'], default: 'desc' } },
        {
          name: 'after',
          in: 'query',
          schema: { type: 'string' },
          description: 'Id of the last item of the page before',
        },
        requestId,
      ],
      responses: answered('Items', {
        type: 'object',
        required: ['object', 'data', 'has_more'],
        properties: {
          object: { type: 'string', enum: ['list'] },
          data: { type: 'array', items: { type: 'object', additionalProperties: true } },
          first_id: { type: 'string', nullable: true },
          last_id: { type: 'string', nullable: true },
          has_more: { type: 'boolean' },
        },
      }),
    },
  },
};
