import { parameter, response } from './openapi-answers.ts';
import { ownHeaders } from './openapi-headers.ts';

/** `/batches` in the OpenAPI document. */

const batchReference = { $ref: '#/components/schemas/BatchObject' };
const json = (schema: object) => ({ 'application/json': { schema } });
const requestId = parameter('RequestId');
const batchId = { name: 'batch_id', in: 'path', required: true, schema: { type: 'string' } };
const answered = (description: string, content: object) => ({ description, headers: ownHeaders, content });
const ofOne = { '401': response('Unauthorized'), '404': response('NotFound'), '503': response('Unavailable') };
const ofAll = { '400': response('BadRequest'), '401': response('Unauthorized'), '503': response('Unavailable') };
const moment = (description: string) => ({
  type: 'integer',
  nullable: true,
  description: `Seconds since the Unix epoch: ${description}`,
});
const fileId = { type: 'string', nullable: true };
const metadata = { type: 'object', nullable: true, additionalProperties: { type: 'string' } };
const count = { type: 'integer' };

export const batchObject = {
  type: 'object',
  required: ['id', 'object', 'endpoint', 'input_file_id', 'completion_window', 'status', 'created_at'],
  properties: {
    id: { type: 'string' },
    object: { type: 'string', enum: ['batch'] },
    endpoint: { type: 'string' },
    errors: {
      type: 'object',
      nullable: true,
      description: 'Why it failed before any line was run',
      properties: {
        object: { type: 'string', enum: ['list'] },
        data: {
          type: 'array',
          items: {
            type: 'object',
            properties: {
              code: { type: 'string' },
              message: { type: 'string' },
              param: { type: 'string', nullable: true },
              line: { type: 'integer', nullable: true },
            },
          },
        },
      },
    },
    input_file_id: { type: 'string' },
    completion_window: { type: 'string' },
    status: {
      type: 'string',
      enum: ['validating', 'failed', 'in_progress', 'finalizing', 'completed', 'expired', 'cancelling', 'cancelled'],
    },
    output_file_id: fileId,
    error_file_id: fileId,
    created_at: { type: 'integer', description: 'Seconds since the Unix epoch' },
    in_progress_at: moment('its lines were in order'),
    expires_at: moment('lines that have no answer by then have none'),
    finalizing_at: moment('its files were begun'),
    completed_at: moment('it ended so'),
    failed_at: moment('it ended so'),
    expired_at: moment('it ended so'),
    cancelling_at: moment('it was told to end'),
    cancelled_at: moment('it ended so'),
    request_counts: {
      type: 'object',
      required: ['total', 'completed', 'failed'],
      properties: { total: count, completed: count, failed: count },
    },
    metadata,
  },
};

export const batchPaths = {
  '/batches': {
    get: {
      summary: 'List Batches',
      description: 'The batches of the caller, the newest first.',
      operationId: 'listBatches',
      tags: ['Batches'],
      parameters: [
        {
          name: 'limit',
          in: 'query',
          schema: { type: 'integer', minimum: 1, maximum: 100, default: 20 },
          description: 'Batches of one page',
        },
        {
          name: 'after',
          in: 'query',
          schema: { type: 'string' },
          description: 'Id of the last batch of the page before',
        },
        requestId,
      ],
      responses: {
        '200': answered(
          'List of batches',
          json({
            type: 'object',
            required: ['object', 'data', 'has_more'],
            properties: {
              object: { type: 'string', enum: ['list'] },
              data: { type: 'array', items: batchReference },
              first_id: { type: 'string', nullable: true },
              last_id: { type: 'string', nullable: true },
              has_more: { type: 'boolean' },
            },
          }),
        ),
        ...ofAll,
      },
    },
    post: {
      summary: 'Create Batch',
      description:
        'Runs the lines of an uploaded file one by one, on any model, as requests of the caller: with its limits and budgets, and a record for each.',
      operationId: 'createBatch',
      tags: ['Batches'],
      parameters: [{ $ref: '#/components/parameters/Metadata' }, requestId],
      requestBody: {
        required: true,
        content: json({
          type: 'object',
          required: ['input_file_id', 'endpoint', 'completion_window'],
          properties: {
            input_file_id: { type: 'string', description: 'File ID of JSONL input file, uploaded for `batch`' },
            endpoint: {
              type: 'string',
              description: 'The `url` of its lines: any endpoint that is asked and answered in JSON',
              example: '/v1/chat/completions',
            },
            completion_window: { type: 'string', pattern: '^\\d{1,3}[hd]$', example: '24h' },
            metadata,
            output_expires_after: {
              type: 'object',
              nullable: true,
              required: ['anchor', 'seconds'],
              properties: {
                anchor: { type: 'string', enum: ['created_at'] },
                seconds: { type: 'integer', minimum: 3_600, maximum: 2_592_000 },
              },
            },
          },
        }),
      },
      responses: { '200': answered('Batch object', json(batchReference)), ...ofAll },
    },
  },
  '/batches/{batch_id}': {
    get: {
      summary: 'Get Batch',
      operationId: 'getBatch',
      tags: ['Batches'],
      parameters: [batchId, requestId],
      responses: { '200': answered('Batch status', json(batchReference)), ...ofOne },
    },
  },
  '/batches/{batch_id}/cancel': {
    post: {
      summary: 'Cancel Batch',
      description: 'Sends nothing more; what is under way is waited for and kept.',
      operationId: 'cancelBatch',
      tags: ['Batches'],
      parameters: [batchId, requestId],
      responses: {
        '200': answered('Batch status', json(batchReference)),
        '409': response('Conflict'),
        ...ofOne,
      },
    },
  },
  '/batches/{batch_id}/output': {
    get: {
      summary: 'Get Batch Output',
      description: 'The bytes of the output file of a batch that has ended.',
      operationId: 'getBatchOutput',
      tags: ['Batches'],
      parameters: [batchId, requestId],
      responses: {
        '200': answered('One line for each line that was answered', {
          'application/octet-stream': { schema: { type: 'string', format: 'binary' } },
        }),
        ...ofOne,
      },
    },
  },
};
