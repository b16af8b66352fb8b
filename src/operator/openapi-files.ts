import { parameter, response } from './openapi-answers.ts';
import { ownHeaders } from './openapi-headers.ts';

/** `/files` in the OpenAPI document. */

const fileReference = { $ref: '#/components/schemas/FileObject' };
const json = (schema: object) => ({ 'application/json': { schema } });
const requestId = parameter('RequestId');
const fileId = { name: 'file_id', in: 'path', required: true, schema: { type: 'string' } };
const fromQuery = (name: string, schema: object, description: string) => ({ name, in: 'query', schema, description });
const bytes = { 'application/octet-stream': { schema: { type: 'string', format: 'binary' } } };
const number = { schema: { type: 'string' } };

const ofAll = {
  '400': response('BadRequest'),
  '401': response('Unauthorized'),
  '503': response('Unavailable'),
};
const ofOne = { '401': response('Unauthorized'), '404': response('NotFound'), '503': response('Unavailable') };
const answered = (description: string, content: object, headers: object = {}) => ({
  description,
  headers: { ...ownHeaders, ...headers },
  content,
});

export const fileObject = {
  type: 'object',
  required: ['id', 'object', 'bytes', 'created_at', 'filename', 'purpose', 'status'],
  properties: {
    id: { type: 'string' },
    object: { type: 'string', enum: ['file'] },
    bytes: { type: 'integer' },
    created_at: { type: 'integer', description: 'Seconds since the Unix epoch' },
    expires_at: { type: 'integer', description: 'Seconds since the Unix epoch; absent: it stays' },
    filename: { type: 'string' },
    purpose: { type: 'string' },
    status: { type: 'string', enum: ['processed'] },
    sha256: { type: 'string', description: 'Hexadecimal' },
  },
};

export const filePaths = {
  '/files': {
    get: {
      summary: 'List Files',
      description: 'The files of the caller, the newest first.',
      operationId: 'listFiles',
      tags: ['Files'],
      parameters: [
        fromQuery('purpose', { type: 'string' }, 'Filter by file purpose'),
        fromQuery('limit', { type: 'integer', minimum: 1, maximum: 10_000, default: 1_000 }, 'Files of one page'),
        fromQuery('after', { type: 'string' }, 'Id of the last file of the page before'),
        fromQuery('order', { type: 'string', enum: ['asc', 'desc'], default: 'desc' }, 'By the time of upload'),
        requestId,
      ],
      responses: {
        '200': answered(
          'List of files',
          json({
            type: 'object',
            required: ['object', 'data', 'has_more'],
            properties: {
              object: { type: 'string', enum: ['list'] },
              data: { type: 'array', items: fileReference },
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
      summary: 'Upload File',
      description:
        'Takes a file as it comes; it belongs to the caller. The lines of a file for a batch are checked, and the first ten at fault are named.',
      operationId: 'uploadFile',
      tags: ['Files'],
      parameters: [requestId],
      requestBody: {
        required: true,
        content: {
          'multipart/form-data': {
            schema: {
              type: 'object',
              required: ['file', 'purpose'],
              properties: {
                file: { type: 'string', format: 'binary', description: 'Up to `limits.max_file_bytes`' },
                purpose: {
                  type: 'string',
                  enum: ['assistants', 'batch', 'fine-tune', 'vision', 'user_data', 'evals'],
                },
                'expires_after[anchor]': { type: 'string', enum: ['created_at'] },
                'expires_after[seconds]': { type: 'integer', minimum: 3_600, maximum: 2_592_000 },
              },
            },
          },
        },
      },
      responses: {
        '200': answered('Uploaded file', json(fileReference)),
        '408': response('Timeout'),
        '413': response('TooLarge'),
        ...ofAll,
      },
    },
  },
  '/files/{file_id}': {
    get: {
      summary: 'Get File',
      operationId: 'getFile',
      tags: ['Files'],
      parameters: [fileId, requestId],
      responses: { '200': answered('File metadata', json(fileReference)), ...ofOne },
    },
    delete: {
      summary: 'Delete File',
      operationId: 'deleteFile',
      tags: ['Files'],
      parameters: [fileId, requestId],
      responses: {
        '200': answered(
          'Deletion confirmation',
          json({
            type: 'object',
            properties: {
              id: { type: 'string' },
              object: { type: 'string', enum: ['file'] },
              deleted: { type: 'boolean' },
            },
          }),
        ),
        ...ofOne,
      },
    },
  },
  '/files/{file_id}/content': {
    get: {
      summary: 'Get File Content',
      description: 'The bytes as they were uploaded, or one range of them.',
      operationId: 'getFileContent',
      tags: ['Files'],
      parameters: [
        fileId,
        { name: 'range', in: 'header', schema: { type: 'string', example: 'bytes=0-1023' } },
        requestId,
      ],
      responses: {
        '200': answered('All bytes', bytes, { etag: number }),
        '206': answered('The range', bytes, { 'content-range': number, etag: number }),
        '416': response('NoSuchRange'),
        ...ofOne,
      },
    },
  },
};
