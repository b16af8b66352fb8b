import { parameter, response } from './openapi-answers.ts';
import { ownHeaders } from './openapi-headers.ts';

/** Responses that are kept, and conversations, in the OpenAPI document. */

const json = (schema: object) => ({ 'application/json': { schema } });
const requestId = parameter('RequestId');
const responseId = { name: 'response_id', in: 'path', required: true, schema: { type: 'string' } };
const ofOne = {
  '400': response('BadRequest'),
  '401': response('Unauthorized'),
  '404': response('NotFound'),
  '503': response('Unavailable'),
};
const responseReference = { $ref: '#/components/schemas/Response' };
const conversationId = { name: 'conversation_id', in: 'path', required: true, schema: { type: 'string' } };
const itemId = { name: 'item_id', in: 'path', required: true, schema: { type: 'string' } };
const pages = [
  { name: 'limit', in: 'query', schema: { type: 'integer', minimum: 1, maximum: 100, default: 20 } },
  { name: 'order', in: 'query', schema: { type: 'string', enum: ['asc', 'desc'], default: 'desc' } },
  { name: 'after', in: 'query', schema: { type: 'string' }, description: 'Id of the last item of the page before' },
];
const item = { type: 'object', additionalProperties: true };
const itemList = {
  type: 'object',
  required: ['object', 'data', 'has_more'],
  properties: {
    object: { type: 'string', enum: ['list'] },
    data: { type: 'array', items: item },
    first_id: { type: 'string', nullable: true },
    last_id: { type: 'string', nullable: true },
    has_more: { type: 'boolean' },
  },
};
const metadata = { type: 'object', additionalProperties: { type: 'string', maxLength: 512 }, nullable: true };
const conversation = {
  type: 'object',
  required: ['id', 'object', 'created_at', 'metadata'],
  properties: {
    id: { type: 'string' },
    object: { type: 'string', enum: ['conversation'] },
    created_at: { type: 'integer' },
    metadata: { type: 'object', additionalProperties: { type: 'string' } },
  },
};
const asked = (properties: object, required: readonly string[] = []) => ({
  required: required.length > 0,
  content: json({ type: 'object', properties, ...(required.length > 0 && { required }) }),
});
const tags = ['Responses'];
const answered = (description: string, schema: object) => ({
  '200': { description, headers: ownHeaders, content: json(schema) },
  ...ofOne,
});

export const responsePaths = {
  '/responses/{response_id}': {
    get: {
      summary: 'Get Response',
      description:
        'A response of the caller that is kept, as it was answered; one that is made in the background as far as it is known, or in events.',
      operationId: 'getResponse',
      tags,
      parameters: [
        responseId,
        {
          name: 'stream',
          in: 'query',
          schema: { type: 'boolean' },
          description: 'Tells a response in the background in events',
        },
        {
          name: 'starting_after',
          in: 'query',
          schema: { type: 'integer', minimum: 0 },
          description: 'The `sequence_number` behind which the events begin',
        },
        requestId,
      ],
      responses: answered('The response', responseReference),
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
      parameters: [responseId, ...pages, requestId],
      responses: answered('Items', itemList),
    },
  },
  '/responses/{response_id}/cancel': {
    post: {
      summary: 'Cancel Response',
      description: 'Ends a response that is made in the background; one that has ended stays as it is.',
      operationId: 'cancelResponse',
      tags,
      parameters: [responseId, requestId],
      responses: answered('The response', responseReference),
    },
  },
  '/conversations': {
    post: {
      summary: 'Create Conversation',
      description: 'Begins a conversation, with items or without.',
      operationId: 'createConversation',
      tags,
      parameters: [requestId],
      requestBody: asked({ items: { type: 'array', maxItems: 20, items: item, nullable: true }, metadata }),
      responses: answered('The conversation', conversation),
    },
  },
  '/conversations/{conversation_id}': {
    get: {
      summary: 'Get Conversation',
      description: 'A conversation of the caller.',
      operationId: 'getConversation',
      tags,
      parameters: [conversationId, requestId],
      responses: answered('The conversation', conversation),
    },
    post: {
      summary: 'Update Conversation',
      description: 'Replaces its metadata.',
      operationId: 'updateConversation',
      tags,
      parameters: [conversationId, requestId],
      requestBody: asked({ metadata }, ['metadata']),
      responses: answered('The conversation', conversation),
    },
    delete: {
      summary: 'Delete Conversation',
      description: 'It is gone with its items.',
      operationId: 'deleteConversation',
      tags,
      parameters: [conversationId, requestId],
      responses: answered('It is deleted', {
        type: 'object',
        required: ['id', 'object', 'deleted'],
        properties: {
          id: { type: 'string' },
          object: { type: 'string', enum: ['conversation.deleted'] },
          deleted: { type: 'boolean' },
        },
      }),
    },
  },
  '/conversations/{conversation_id}/items': {
    get: {
      summary: 'List Conversation Items',
      description: 'What was said in it.',
      operationId: 'listConversationItems',
      tags,
      parameters: [conversationId, ...pages, requestId],
      responses: answered('Items', itemList),
    },
    post: {
      summary: 'Add Conversation Items',
      description: 'Adds items at its end.',
      operationId: 'addConversationItems',
      tags,
      parameters: [conversationId, requestId],
      requestBody: asked({ items: { type: 'array', minItems: 1, maxItems: 20, items: item } }, ['items']),
      responses: answered('The items that were added', itemList),
    },
  },
  '/conversations/{conversation_id}/items/{item_id}': {
    get: {
      summary: 'Get Conversation Item',
      description: 'One item.',
      operationId: 'getConversationItem',
      tags,
      parameters: [conversationId, itemId, requestId],
      responses: answered('The item', item),
    },
    delete: {
      summary: 'Delete Conversation Item',
      description: 'Later turns are not told it.',
      operationId: 'deleteConversationItem',
      tags,
      parameters: [conversationId, itemId, requestId],
      responses: answered('The conversation', conversation),
    },
  },
};
