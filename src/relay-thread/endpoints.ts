import type { GatewayError } from '../core/errors.ts';
import type { Exchange } from '../core/exchange.ts';
import type { Dialect } from '../dialects/dialect.ts';
import { type PlannedPath, type Route, RouteTable } from '../edge/routes.ts';
import { runInference } from '../pipeline/pipeline.ts';
import type { PipelineOptions } from '../pipeline/pipeline-options.ts';
import type { ProxyOptions } from '../proxy/proxy-options.ts';
import type { AgentRun } from '../telemetry/agent-metrics.ts';
import { agentRoutes } from './agent-endpoint.ts';
import { answered, answerJson } from './answered-route.ts';
import { type BatchRoutes, batchRoutes } from './batches-endpoint.ts';
import { claudeCodeHook } from './claude-code-hook.ts';
import { type ClientSecretsOptions, clientSecretRoutes } from './client-secrets-endpoint.ts';
import { runConversation } from './conversation-turn.ts';
import { conversationRoutes } from './conversations-endpoint.ts';
import { type FileEndpoints, fileRoutes } from './files-endpoint.ts';
import type { McpGate } from './mcp-gate.ts';
import { listModels, type ModelLists, showModel } from './models-endpoint.ts';
import { type OAuthRoutesOptions, oauthRoutes } from './oauth-routes.ts';
import type { OwnDocument } from './own-document.ts';
import { ProviderBatchEndpoint } from './provider-batches.ts';
import { anyProviderPath, proxyRoutes } from './proxy-routes.ts';
import { realtimeRoutes } from './realtime-sockets.ts';
import type { RefusalRecords } from './refusal-records.ts';
import { type ResponseEndpoints, responseRoutes } from './responses-endpoint.ts';
import { runUpload } from './upload-endpoint.ts';

export interface EndpointsOptions {
  readonly dialects: readonly Dialect[];
  readonly pipeline: PipelineOptions;
  readonly records: RefusalRecords;
  readonly files: FileEndpoints;
  readonly batches: BatchRoutes;
  readonly responses: ResponseEndpoints;
  readonly proxy: ProxyOptions;
  readonly secrets: ClientSecretsOptions;
  /** See PASSED_AT of plugs.ts. */
  readonly passedAt: ReadonlyMap<string, ReadonlySet<string>>;
  readonly mcp: McpGate;
  readonly oauth: Omit<OAuthRoutesOptions, 'records' | 'page' | 'errorBody'>;
  onAgentRun(run: AgentRun): void;
  readonly document: Pick<OwnDocument, 'answer'>;
  /** In the form of the dialect that a path without one is answered in. */
  errorBody(error: GatewayError, exchangeId?: string): Uint8Array;
}

const ALIVE = { status: 'ok', service: 'sluice' };

/**
 * Endpoints of the reference product that are not built: sessions of agents.
 * One that is built leaves this list: a test holds that.
 */
export const PLANNED: readonly PlannedPath[] = [
  '/agents/sessions',
  '/agents/sessions/{*rest}',
  '/agents/draft-sessions',
  '/agents/draft-sessions/{*rest}',
].map((pattern) => ({ pattern }));

/** Every path of the listening port. */
export function routeTable(options: EndpointsOptions): RouteTable {
  const { proxy, batches, errorBody } = options;
  const passing = anyProviderPath(proxy, new ProviderBatchEndpoint({ proxy, batches }), errorBody);
  return new RouteTable(ownRoutes(options), PLANNED, passing);
}

/** What the gateway answers itself, or passes at a path of its own. */
export function ownRoutes(options: EndpointsOptions): Route[] {
  const { proxy, passedAt, errorBody } = options;
  return [
    ...inferenceRoutes(options),
    ...plainRoutes(options),
    ...options.mcp.routes(),
    ...oauthRoutes({
      ...options.oauth,
      records: options.records,
      page: (request, onAnswer) => options.mcp.page(request, onAnswer),
      errorBody,
    }),
    ...agentRoutes({
      pipeline: options.pipeline,
      mcp: options.mcp,
      dialect: chatOf(options.dialects),
      responses: options.dialects.find(({ operation }) => operation === 'responses') ?? chatOf(options.dialects),
      onRun: options.onAgentRun,
    }),
    ...fileRoutes(options.files, errorBody),
    ...batchRoutes(options.batches, errorBody),
    ...responsesKept(options),
    ...realtimeRoutes(errorBody, options.records.refused),
    ...clientSecretRoutes(options.secrets, options.records, errorBody),
    ...proxyRoutes(proxy, passedAt, errorBody),
  ];
}

/** The routes of the form whose answers are made in the background as well. */
function responsesKept({ dialects, responses, errorBody }: EndpointsOptions): Route[] {
  const kept = dialects.find(({ conversation }) => conversation?.background)?.conversation;
  if (kept?.background === undefined) return [];
  return [...responseRoutes(responses, kept.background, errorBody), ...conversationRoutes(responses, kept, errorBody)];
}

/** The first one speaks chats, and answers for what has no form of its own. */
function chatOf(dialects: readonly Dialect[]): Dialect {
  const [chat] = dialects;
  if (chat?.operation !== 'chat') throw new Error('the first dialect must speak chats');
  return chat;
}

function inferenceRoutes({ dialects, pipeline, responses }: EndpointsOptions): Route[] {
  return dialects.flatMap((dialect) =>
    dialect.routes.map(({ method, pattern }): Route => {
      const { uploads, errorBody } = dialect;
      const collected: Route = {
        pattern,
        method,
        needsKey: true,
        errorBody,
        body: method === 'GET' || method === 'DELETE' ? 'none' : 'whole',
        scan: dialect.scan,
        handle: dialect.conversation
          ? (exchange) => runConversation(exchange, dialect, responses)
          : (exchange) => runInference(exchange, dialect, pipeline),
      };
      if (uploads === undefined) return collected;
      return {
        pattern,
        method,
        needsKey: true,
        errorBody,
        body: 'stream',
        handle: (exchange) => runUpload(exchange, dialect, uploads, pipeline),
        collected: { takes: (contentType) => !uploads.takes(contentType), route: collected },
      };
    }),
  );
}

function plainRoutes({ dialects, pipeline, records, document, errorBody }: EndpointsOptions): Route[] {
  const lists: ModelLists = dialects.flatMap(({ modelList }) => modelList ?? []);
  const plain = (
    pattern: string,
    needsKey: boolean,
    answer: (exchange: Exchange) => GatewayError | undefined,
  ): Route => ({
    pattern,
    method: 'GET',
    needsKey,
    body: 'none',
    errorBody,
    handle: (exchange) => {
      const error = answer(exchange);
      if (error) {
        exchange.refuse(error);
        records.refused(exchange, error);
      } else records.answered(exchange);
      exchange.finish();
    },
  });
  /** Makes an answer that is never refused. */
  const always = (tell: (exchange: Exchange) => void) => (exchange: Exchange) => {
    tell(exchange);
    return undefined;
  };
  const alive = always((exchange) => answerJson(exchange, ALIVE));
  return [
    {
      ...plain(
        '/models',
        true,
        always((exchange) => {
          const { callers, routes } = pipeline.snapshot();
          listModels(exchange, callers.of(exchange.principal), routes, lists);
        }),
      ),
      readsQuery: true,
    },
    plain('/models/{+id}', true, (exchange) => {
      const { callers, routes } = pipeline.snapshot();
      return showModel(exchange, callers.of(exchange.principal), routes, lists);
    }),
    {
      ...plain('/openapi.json', false, alive),
      handle: (exchange) => void answered(records, exchange, (asked) => document.answer(asked)),
    },
    plain('/api/hello', false, alive),
    {
      // Claude Code tells Anthropic's host about its own use: the gateway takes it, and keeps nothing.
      ...plain(
        '/api/event_logging/batch',
        true,
        always((exchange) => answerJson(exchange, {})),
      ),
      method: 'POST',
      body: 'whole',
    },
    claudeCodeHook({ pipeline, records, errorBody }),
    plain('/', false, alive),
    plain('/healthz', false, alive),
  ];
}
