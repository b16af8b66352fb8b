import { parameter, response } from './openapi-answers.ts';
import { ownHeaders } from './openapi-headers.ts';

/** `/models` in the OpenAPI document. */

const schema = (name: string) => ({ $ref: `#/components/schemas/${name}` });

const models = {
  get: {
    summary: 'List Models',
    description: 'The models this key may use.',
    operationId: 'listModels',
    tags: ['Models'],
    parameters: [parameter('RequestId')],
    responses: {
      '200': {
        description: 'Model list',
        headers: ownHeaders,
        content: {
          'application/json': {
            schema: {
              oneOf: [
                {
                  type: 'object',
                  required: ['object', 'data'],
                  properties: {
                    object: { type: 'string', enum: ['list'] },
                    data: { type: 'array', items: schema('ModelObject') },
                  },
                },
                {
                  type: 'object',
                  description: 'As Anthropic lists models, for a client that sends `anthropic-version`',
                  required: ['data', 'has_more', 'first_id', 'last_id'],
                  properties: {
                    data: { type: 'array', items: schema('AnthropicModelObject') },
                    has_more: { type: 'boolean' },
                    first_id: { type: 'string', nullable: true },
                    last_id: { type: 'string', nullable: true },
                  },
                },
              ],
            },
          },
        },
      },
      '401': response('Unauthorized'),
      '503': response('Unavailable'),
    },
  },
};

const model = {
  get: {
    summary: 'Get Model',
    operationId: 'getModel',
    tags: ['Models'],
    parameters: [
      {
        name: 'id',
        in: 'path',
        required: true,
        description: '`account/model`; the `/` may be written as it is or as %2F',
        schema: { type: 'string' },
      },
      parameter('RequestId'),
    ],
    responses: {
      '200': {
        description: 'The model',
        headers: ownHeaders,
        content: {
          'application/json': { schema: { oneOf: [schema('ModelObject'), schema('AnthropicModelObject')] } },
        },
      },
      '400': response('BadRequest'),
      '401': response('Unauthorized'),
      '403': response('Forbidden'),
      '404': response('NotFound'),
      '503': response('Unavailable'),
    },
  },
};

export const modelPaths = { '/models': models, '/models/{id}': model };

export const modelSchemas = {
  AnthropicModelObject: {
    type: 'object',
    required: ['type', 'id', 'display_name', 'created_at'],
    properties: {
      type: { type: 'string', enum: ['model'] },
      id: { type: 'string', description: '`account/model`' },
      display_name: { type: 'string' },
      created_at: { type: 'string', format: 'date-time' },
    },
  },
  ModelObject: {
    type: 'object',
    required: ['id', 'object'],
    properties: {
      id: { type: 'string', description: '`account/model`' },
      object: { type: 'string', enum: ['model'] },
      created: { type: 'integer' },
      owned_by: { type: 'string', description: 'Model provider (e.g., openai, anthropic)' },
      model_types: {
        type: 'array',
        items: { type: 'string' },
        description: 'What the model is for, as its manifest says; absent where nothing says it',
      },
    },
  },
};
