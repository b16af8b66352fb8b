import { ERRORS, type ErrorCode } from '../core/errors.ts';
import type { AdminRoute } from './admin/admin-route.ts';
import { ADMIN_SCHEME, ADMIN_TAG, adminPaths } from './openapi-admin.ts';
import { batchObject, batchPaths } from './openapi-batches.ts';
import { chatCompletionChunk, chatCompletionRequest, chatCompletionResponse } from './openapi-chat.ts';
import { fileObject, filePaths } from './openapi-files.ts';
import {
  inferenceParameters,
  limitHeaders,
  ownHeaders,
  requestIdParameter,
  unavailableHeaders,
  upstreamHeaders,
} from './openapi-headers.ts';
import { jsonPaths, jsonSchemas, jsonTags } from './openapi-json.ts';
import { imageGenerationRequest, imageGenerationResponse, mediaPaths } from './openapi-media.ts';
import { messagePaths } from './openapi-messages.ts';
import { passedPaths, passedTag } from './openapi-passthrough.ts';
import { responsePaths } from './openapi-responses.ts';

/**
 * The gateway's own OpenAPI document, served on both ports: the endpoints that exist now, and no others. Whoever adds a
 * route adds it here; a test compares it with the reference product's document where that is at hand.
 */

const schema = (name: string) => ({ $ref: `#/components/schemas/${name}` });
const parameter = (name: string) => ({ $ref: `#/components/parameters/${name}` });
const response = (name: string) => ({ $ref: `#/components/responses/${name}` });

function refusal(description: string, headers: object = {}) {
  return {
    description,
    headers: { ...ownHeaders, ...headers },
    content: { 'application/json': { schema: schema('Error') } },
  };
}

/** Codes of the error, each with what it means. */
function causes(...codes: ErrorCode[]): string {
  return codes.map((code) => `\`${code}\`: ${ERRORS[code].message}`).join(' ');
}

const chatCompletions = {
  post: {
    summary: 'Create Chat Completion',
    description:
      'One endpoint for every provider. Where the provider speaks this form, request and answer pass through byte for byte; where it does not, they are translated, and what it cannot express is refused with 400. Parameters that are not listed pass through.',
    operationId: 'createChatCompletion',
    tags: ['Chat'],
    parameters: Object.keys(inferenceParameters).map(parameter),
    requestBody: { required: true, content: { 'application/json': { schema: schema('ChatCompletionRequest') } } },
    responses: {
      '200': {
        description: 'Chat completion result',
        headers: { ...ownHeaders, ...upstreamHeaders },
        content: {
          'application/json': { schema: schema('ChatCompletionResponse') },
          'text/event-stream': {
            schema: {
              type: 'string',
              description:
                'SSE stream when stream=true: one `data: ` event per ChatCompletionChunk, then `data: [DONE]`. After a failure one `data: {"error": …}` event, then the connection is cut without a proper end.',
            },
          },
        },
      },
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
    },
  },
};

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

interface Described {
  readonly requestBody?: object | undefined;
  readonly responses: Readonly<Record<string, object>>;
}

/** What every operation with a body may meet, and every one that asks a provider. */
function withOtherRefusals<T extends Readonly<Record<string, Readonly<Record<string, Described>>>>>(paths: T): T {
  const all = Object.entries(paths).map(([path, operations]) => [
    path,
    Object.fromEntries(
      Object.entries(operations).map(([method, operation]) => {
        const asksProvider = operation.responses['502'] !== undefined;
        const responses = {
          ...operation.responses,
          ...(operation.requestBody !== undefined && { '415': response('Unsupported') }),
          ...(asksProvider && { '409': response('Rejected'), '422': response('Rejected') }),
          '500': response('Failed'),
        };
        return [method, { ...operation, responses }];
      }),
    ),
  ]);
  return Object.fromEntries(all);
}

export const openapiDocument = {
  openapi: '3.0.3',
  info: {
    title: 'Sluice AI Gateway',
    description: 'An OpenAI-compatible endpoint in front of many model providers.',
    version: '1.0.0',
    license: { name: 'Apache-2.0', url: 'https://www.apache.org/licenses/LICENSE-2.0' },
  },
  servers: ['/v1', '/', '/api/llm', '/api/llm/v1'].map((url) => ({ url })),
  security: [{ BearerAuth: [] }, { XApiKey: [] }, { ApiKey: [] }],
  tags: [
    { name: 'Chat', description: 'Chat completion operations for LLM conversation' },
    { name: 'Messages', description: "Anthropic's Messages" },
    ...jsonTags,
    { name: 'Images', description: 'Image generation, edits and variations' },
    { name: 'Audio', description: 'Speech, transcription and translation' },
    { name: 'Files', description: 'Files that callers upload' },
    { name: 'Batches', description: 'Many requests in one file, run by the gateway' },
    { name: 'Models', description: 'Available model listing' },
    passedTag,
  ],
  paths: withOtherRefusals({
    '/chat/completions': chatCompletions,
    ...messagePaths,
    ...jsonPaths,
    ...mediaPaths,
    ...filePaths,
    ...responsePaths,
    ...batchPaths,
    ...passedPaths,
    '/models': models,
    '/models/{id}': model,
  }),
  components: {
    securitySchemes: {
      BearerAuth: {
        type: 'http',
        scheme: 'bearer',
        description:
          'An API key: a configured one, an issued one (signed JWT or opaque), or a JWT of an identity provider',
      },
      XApiKey: { type: 'apiKey', in: 'header', name: 'x-api-key' },
      ApiKey: { type: 'apiKey', in: 'header', name: 'api-key' },
    },
    parameters: { ...inferenceParameters, RequestId: requestIdParameter },
    schemas: {
      ChatCompletionRequest: chatCompletionRequest,
      ChatCompletionResponse: chatCompletionResponse,
      ChatCompletionChunk: chatCompletionChunk,
      ...jsonSchemas,
      ImageGenerationRequest: imageGenerationRequest,
      ImageGenerationResponse: imageGenerationResponse,
      FileObject: fileObject,
      BatchObject: batchObject,
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
      Error: {
        type: 'object',
        required: ['error'],
        properties: {
          error: {
            type: 'object',
            required: ['message', 'type', 'code', 'param'],
            properties: {
              message: { type: 'string' },
              type: { type: 'string' },
              code: { type: 'string', nullable: true },
              param: { type: 'string', nullable: true },
            },
          },
        },
      },
    },
    responses: {
      BadRequest: refusal('Invalid parameters; `param` names the one at fault'),
      Unauthorized: refusal('Invalid or missing API key; the connection is closed'),
      Forbidden: refusal('This key may not use this model'),
      NotFound: refusal('There is no such model, and near names are given; or no such file'),
      Timeout: refusal('The body came too slowly, or no token within x-tfy-ttft-timeout-ms'),
      Unsupported: refusal(
        'The body is compressed in a way that is not understood; accept-encoding names those that are',
      ),
      Rejected: refusal('The provider rejected the request, in its own words', upstreamHeaders),
      Failed: refusal('The gateway failed; the log tells why under the exchange id'),
      TooLarge: refusal('The body is larger than the gateway takes'),
      RateLimited: refusal(
        causes('rate_limited', 'budget_exceeded', 'upstream_rate_limited', 'sign_in_limited'),
        limitHeaders,
      ),
      UpstreamFailed: refusal('The provider failed, or refused the gateway’s credential', upstreamHeaders),
      Unavailable: refusal(
        causes(
          'overloaded',
          'body_memory_full',
          'draining',
          'counters_away',
          'cache_away',
          'guardrail_unavailable',
          'ledger_full',
          'issuer_keys_unavailable',
          'upstream_queue_full',
          'out_of_sockets',
          'mcp_unavailable',
          'account_token_missing',
          'upstream_overloaded',
          'database_away',
          'blobs_unavailable',
        ),
        unavailableHeaders,
      ),
      Conflict: refusal('Its state does not allow this'),
      NoSuchRange: refusal('The file has no such range of bytes', { 'content-range': { schema: { type: 'string' } } }),
      UpstreamTimeout: refusal('The provider did not answer in time', upstreamHeaders),
    },
  },
} as const;

/** The document as it is served, on both ports; with the admin API where there is one. */
export function openapiJson(admin?: { routes: readonly AdminRoute[]; operatorUrl: string }): Buffer {
  if (admin === undefined) return Buffer.from(JSON.stringify(openapiDocument));
  const { tags, paths, components } = openapiDocument;
  return Buffer.from(
    JSON.stringify({
      ...openapiDocument,
      tags: [...tags, ADMIN_TAG],
      paths: { ...paths, ...adminPaths(admin.routes, admin.operatorUrl) },
      components: { ...components, securitySchemes: { ...components.securitySchemes, AdminKey: ADMIN_SCHEME } },
    }),
  );
}
