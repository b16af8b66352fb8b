import type { AdminRoute } from './admin/admin-route.ts';
import { ADMIN_SCHEME, ADMIN_TAG, adminPaths } from './openapi-admin.ts';
import { agentPaths, agentTag } from './openapi-agents.ts';
import { answerComponents, response } from './openapi-answers.ts';
import { batchObject, batchPaths } from './openapi-batches.ts';
import { CONSOLE_TAG, consolePaths } from './openapi-console.ts';
import { type DescribedPaths, type DocumentedDialect, dialectParts } from './openapi-dialects.ts';
import { fileObject, filePaths } from './openapi-files.ts';
import { headerComponents, inferenceParameters } from './openapi-headers.ts';
import { mcpPaths, mcpTags } from './openapi-mcp.ts';
import { modelPaths, modelSchemas } from './openapi-models.ts';
import { passedPaths, passedTag } from './openapi-passthrough.ts';
import { realtimePaths } from './openapi-realtime.ts';
import { responsePaths } from './openapi-responses.ts';

/** What every operation with a body may meet, and every one that asks a provider. */
function withOtherRefusals(paths: DescribedPaths): DescribedPaths {
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

const errorSchema = {
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
};

const securitySchemes = {
  BearerAuth: {
    type: 'http',
    scheme: 'bearer',
    description: 'An API key: a configured one, an issued one (signed JWT or opaque), or a JWT of an identity provider',
  },
  XApiKey: { type: 'apiKey', in: 'header', name: 'x-api-key' },
  ApiKey: { type: 'apiKey', in: 'header', name: 'api-key' },
};

/** The admin API, where there is one. */
export interface DocumentedAdmin {
  readonly routes: readonly AdminRoute[];
  readonly operatorUrl: string;
  /** People sign in there. */
  readonly hasConsole: boolean;
}

/**
 * The gateway's own OpenAPI document: the endpoints that exist now, and no others. A dialect tells its own; any other route
 * is added here. Tests compare it with the routes, and with the reference product's document where that is present.
 */
export async function openapiDocument(dialects: readonly DocumentedDialect[], admin?: DocumentedAdmin) {
  const forms = await dialectParts(dialects);
  return {
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
      ...forms.tags,
      { name: 'Files', description: 'Files that callers upload' },
      { name: 'Batches', description: 'Many requests in one file, run by the gateway' },
      { name: 'Models', description: 'Available model listing' },
      { name: 'Realtime', description: 'Sessions over WebSockets' },
      agentTag,
      ...mcpTags,
      passedTag,
      ...(admin ? [ADMIN_TAG] : []),
      ...(admin?.hasConsole ? [CONSOLE_TAG] : []),
    ],
    paths: {
      ...withOtherRefusals({
        ...forms.paths,
        ...filePaths,
        ...responsePaths,
        ...batchPaths,
        ...agentPaths,
        ...mcpPaths,
        ...passedPaths,
        ...realtimePaths,
        ...modelPaths,
      }),
      ...(admin && adminPaths(admin.routes, admin.operatorUrl)),
      ...(admin?.hasConsole && consolePaths(admin.operatorUrl)),
    },
    components: {
      securitySchemes: { ...securitySchemes, ...(admin && { AdminKey: ADMIN_SCHEME }) },
      parameters: inferenceParameters,
      headers: headerComponents,
      schemas: {
        ...forms.schemas,
        FileObject: fileObject,
        BatchObject: batchObject,
        ...modelSchemas,
        Error: errorSchema,
      },
      responses: answerComponents,
    },
  };
}

/** The document as it is served, on both ports. */
export async function openapiJson(dialects: readonly DocumentedDialect[], admin?: DocumentedAdmin): Promise<Buffer> {
  return Buffer.from(JSON.stringify(await openapiDocument(dialects, admin)));
}
