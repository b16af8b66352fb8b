import { inferenceParameters, ownHeaders, upstreamHeaders } from './openapi-headers.ts';

/** Endpoints whose requests and answers are JSON: embeddings, moderations, rerank, older completions. */

const schema = (name: string) => ({ $ref: `#/components/schemas/${name}` });
const response = (name: string) => ({ $ref: `#/components/responses/${name}` });

/** Refusals that every endpoint with a model has. */
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

interface JsonEndpoint {
  readonly summary: string;
  readonly description: string;
  readonly operationId: string;
  readonly tag: string;
  readonly request: string;
  readonly answer: string;
  readonly answerDescription: string;
  readonly streams?: true;
}

const STREAM = {
  'text/event-stream': {
    schema: {
      type: 'string',
      description: 'SSE stream when stream=true: `data: ` events of the same form, then `data: [DONE]`',
    },
  },
};

function endpoint(told: JsonEndpoint) {
  return {
    post: {
      summary: told.summary,
      description: told.description,
      operationId: told.operationId,
      tags: [told.tag],
      parameters: Object.keys(inferenceParameters).map((name) => ({ $ref: `#/components/parameters/${name}` })),
      requestBody: { required: true, content: { 'application/json': { schema: schema(told.request) } } },
      responses: {
        '200': {
          description: told.answerDescription,
          headers: { ...ownHeaders, ...upstreamHeaders },
          content: { 'application/json': { schema: schema(told.answer) }, ...(told.streams && STREAM) },
        },
        ...refusals,
      },
    },
  };
}

const rerank = (operationId: string) =>
  endpoint({
    summary: 'Rerank Documents',
    description:
      'Orders documents by how well they fit a query, in the form of Cohere, Jina and Together. `/v2/rerank` is the same.',
    operationId,
    tag: 'Rerank',
    request: 'RerankRequest',
    answer: 'RerankResponse',
    answerDescription: 'Results, the best first',
  });

export const jsonPaths = {
  '/responses': endpoint({
    summary: 'Create Response',
    description:
      "OpenAI's Responses, to every model. Where the provider speaks this form, request and answer pass through byte for byte; elsewhere it is asked in its own form, and what it cannot express is refused with 400.",
    operationId: 'createResponse',
    tag: 'Responses',
    request: 'ResponseRequest',
    answer: 'Response',
    answerDescription: 'The response',
    streams: true,
  }),
  '/responses/input_tokens': endpoint({
    summary: 'Count Response Tokens',
    description:
      'How many tokens a request for a response would have. Counted by the provider where it counts, else estimated: then `x-sluice-estimated: input_tokens` says so. Free of charge.',
    operationId: 'countResponseTokens',
    tag: 'Responses',
    request: 'ResponseRequest',
    answer: 'InputTokens',
    answerDescription: 'The count',
  }),
  '/responses/compact': endpoint({
    summary: 'Compact Response',
    description:
      'Makes a conversation short: its user messages and one `compaction` item. A provider without such an endpoint is asked for a summary.',
    operationId: 'compactResponse',
    tag: 'Responses',
    request: 'ResponseRequest',
    answer: 'Compaction',
    answerDescription: 'The items that the conversation goes on from',
  }),
  '/completions': endpoint({
    summary: 'Create Completion',
    description:
      'The older form of a completion. A model whose provider only chats is asked by a chat, where the request is one prompt without `echo`, `suffix`, `best_of` and `logprobs`.',
    operationId: 'createCompletion',
    tag: 'Completions',
    request: 'CompletionRequest',
    answer: 'CompletionResponse',
    answerDescription: 'The completion',
    streams: true,
  }),
  '/embeddings': endpoint({
    summary: 'Create Embeddings',
    description:
      'Vectors of texts. They are written as `encoding_format` asks, whatever the provider writes; parameters that are not listed pass through.',
    operationId: 'createEmbeddings',
    tag: 'Embeddings',
    request: 'EmbeddingRequest',
    answer: 'EmbeddingResponse',
    answerDescription: 'Embedding vectors',
  }),
  '/moderations': endpoint({
    summary: 'Create Moderation',
    description: 'Checks whether text or images violate a content policy.',
    operationId: 'createModeration',
    tag: 'Moderations',
    request: 'ModerationRequest',
    answer: 'ModerationResponse',
    answerDescription: 'Moderation result',
  }),
  '/rerank': rerank('rerankDocuments'),
  '/v2/rerank': rerank('rerankDocumentsV2'),
};

export const jsonTags = [
  { name: 'Responses', description: "OpenAI's Responses" },
  { name: 'Completions', description: 'The older form of completions' },
  { name: 'Embeddings', description: 'Vectors of texts' },
  { name: 'Moderations', description: 'Checks of content' },
  { name: 'Rerank', description: 'Documents in the order of how well they fit' },
];

const model = {
  type: 'string',
  minLength: 1,
  maxLength: 256,
  description: '`account/model`, or a bare id where exactly one account has it',
} as const;
const text = { type: 'string' } as const;
const texts = { type: 'array', items: text } as const;
const tokens = { type: 'array', items: { type: 'integer', minimum: 0 } } as const;
const freeObject = { type: 'object', additionalProperties: true } as const;
const usage = {
  type: 'object',
  additionalProperties: true,
  description: 'Absent where the provider tells none',
  properties: { prompt_tokens: { type: 'integer' }, total_tokens: { type: 'integer' } },
} as const;

export const jsonSchemas = {
  ResponseRequest: {
    type: 'object',
    required: ['model'],
    additionalProperties: true,
    properties: {
      model,
      input: {
        description: 'A text, or items: messages, calls and their results, reasoning',
        oneOf: [text, { type: 'array', items: { type: 'object', additionalProperties: true } }],
      },
      instructions: { type: 'string', nullable: true },
      stream: { type: 'boolean', nullable: true },
      max_output_tokens: { type: 'integer', minimum: 0, nullable: true },
      tools: { type: 'array', items: { type: 'object', additionalProperties: true } },
      tool_choice: { oneOf: [text, { type: 'object', additionalProperties: true }] },
      parallel_tool_calls: { type: 'boolean', nullable: true },
      reasoning: { type: 'object', nullable: true, additionalProperties: true },
      text: { type: 'object', additionalProperties: true, description: '`format`, `verbosity`' },
      include: { type: 'array', items: text, nullable: true },
      store: { type: 'boolean', nullable: true },
      previous_response_id: { type: 'string', nullable: true },
      conversation: { description: 'An id, or an object with it' },
      background: { type: 'boolean', nullable: true },
      temperature: { type: 'number', nullable: true },
      top_p: { type: 'number', nullable: true },
      metadata: { type: 'object', nullable: true, additionalProperties: text },
    },
  },
  InputTokens: {
    type: 'object',
    required: ['object', 'input_tokens'],
    properties: { object: { type: 'string', enum: ['response.input_tokens'] }, input_tokens: { type: 'integer' } },
  },
  Compaction: {
    type: 'object',
    required: ['id', 'object', 'output'],
    additionalProperties: true,
    properties: {
      id: { type: 'string' },
      object: { type: 'string', enum: ['response.compaction'] },
      created_at: { type: 'integer' },
      output: { type: 'array', items: { type: 'object', additionalProperties: true } },
      usage: { type: 'object', nullable: true, additionalProperties: true },
    },
  },
  Response: {
    type: 'object',
    required: ['id', 'object', 'output'],
    additionalProperties: true,
    properties: {
      id: text,
      object: { type: 'string', enum: ['response'] },
      created_at: { type: 'number' },
      status: {
        type: 'string',
        enum: ['completed', 'failed', 'in_progress', 'cancelled', 'queued', 'incomplete'],
      },
      model: text,
      output: { type: 'array', items: { type: 'object', additionalProperties: true } },
      usage: { type: 'object', nullable: true, additionalProperties: true },
    },
  },
  CompletionRequest: {
    type: 'object',
    required: ['model', 'prompt'],
    additionalProperties: true,
    properties: {
      model,
      prompt: {
        description: 'A text, texts, the tokens of one, or those of several',
        oneOf: [text, texts, tokens, { type: 'array', items: tokens }],
      },
      max_tokens: { type: 'integer', minimum: 0 },
      n: { type: 'integer', minimum: 1, default: 1 },
      best_of: { type: 'integer', minimum: 0 },
      stream: { type: 'boolean', default: false },
      stream_options: {
        type: 'object',
        nullable: true,
        additionalProperties: true,
        properties: { include_usage: { type: 'boolean' } },
      },
      stop: { oneOf: [{ ...text, nullable: true }, texts] },
      temperature: { type: 'number' },
      top_p: { type: 'number' },
      echo: { type: 'boolean' },
      suffix: { type: 'string', nullable: true },
      logprobs: { type: 'integer', nullable: true },
      user: text,
    },
  },
  CompletionResponse: {
    type: 'object',
    required: ['id', 'object', 'choices'],
    additionalProperties: true,
    properties: {
      id: text,
      object: { type: 'string', enum: ['text_completion'] },
      created: { type: 'integer' },
      model: text,
      choices: {
        type: 'array',
        items: {
          type: 'object',
          additionalProperties: true,
          properties: {
            text,
            index: { type: 'integer' },
            finish_reason: { type: 'string', nullable: true },
            logprobs: { ...freeObject, nullable: true },
          },
        },
      },
      usage: freeObject,
    },
  },
  EmbeddingRequest: {
    type: 'object',
    required: ['model', 'input'],
    additionalProperties: true,
    properties: {
      model,
      input: {
        description: 'Text to embed: a text, the tokens of one, or a list in which each is either',
        oneOf: [text, { type: 'array', items: { oneOf: [text, { type: 'integer', minimum: 0 }, tokens] } }],
      },
      encoding_format: {
        type: 'string',
        nullable: true,
        default: 'float',
        description: '`float` or `base64`; whatever else a provider knows passes',
      },
      dimensions: { type: 'integer', description: 'Embedding vector dimensions (model-specific)' },
      input_type: {
        type: 'string',
        description:
          'What the vectors are for: query, document, classification or clustering, or in a provider’s words',
      },
      task_type: { type: 'string', description: 'The same in the words of Gemini and Vertex' },
      user: text,
    },
  },
  EmbeddingResponse: {
    type: 'object',
    required: ['object', 'data'],
    additionalProperties: true,
    properties: {
      object: { type: 'string', enum: ['list'] },
      data: {
        type: 'array',
        items: {
          type: 'object',
          required: ['object', 'index', 'embedding'],
          properties: {
            object: { type: 'string', enum: ['embedding'] },
            index: { type: 'integer' },
            embedding: {
              description: 'Numbers; or base64 of 32-bit floats, lowest byte first, where that was asked for',
              oneOf: [{ type: 'array', items: { type: 'number' } }, text],
            },
          },
        },
      },
      model: text,
      usage,
    },
  },
  ModerationRequest: {
    type: 'object',
    required: ['input'],
    additionalProperties: true,
    properties: {
      model: { ...model, default: 'omni-moderation-latest' },
      input: {
        description: 'A text, texts, or parts of text and of images',
        oneOf: [text, texts, { type: 'array', items: freeObject }],
      },
    },
  },
  ModerationResponse: {
    type: 'object',
    required: ['results'],
    additionalProperties: true,
    properties: {
      id: text,
      model: text,
      results: {
        type: 'array',
        items: {
          type: 'object',
          additionalProperties: true,
          properties: { flagged: { type: 'boolean' }, categories: freeObject, category_scores: freeObject },
        },
      },
    },
  },
  RerankRequest: {
    type: 'object',
    required: ['model', 'query', 'documents'],
    additionalProperties: true,
    properties: {
      model,
      query: { type: 'string', description: 'Query text for relevance scoring' },
      documents: {
        type: 'array',
        description: 'Documents to rerank: texts, or objects with a `text`',
        items: { oneOf: [text, freeObject] },
      },
      top_n: { type: 'integer', description: 'Number of top results to return' },
      return_documents: { type: 'boolean', default: false },
    },
  },
  RerankResponse: {
    type: 'object',
    required: ['results'],
    additionalProperties: true,
    properties: {
      id: text,
      model: text,
      results: {
        type: 'array',
        items: {
          type: 'object',
          required: ['index', 'relevance_score'],
          properties: {
            index: { type: 'integer' },
            relevance_score: { type: 'number' },
            document: { description: 'Where it was asked for, as the provider writes it', oneOf: [text, freeObject] },
          },
        },
      },
      usage,
      meta: freeObject,
    },
  },
} as const;
