import { codeLoader } from '../core/code-loader.ts';
import { GatewayError } from '../core/errors.ts';
import type { Exchange } from '../core/exchange.ts';
import { madeOnce } from '../core/made-once.ts';
import type { Dialect } from '../dialects/dialect.ts';
import type { Route } from '../edge/routes.ts';
import type { AgentOptions } from './agent-loop.ts';
import type { AgentRequest } from './agent-request.ts';
import type { AgentVoice } from './agent-voice.ts';

export interface AgentRouteOptions extends AgentOptions {
  /** Whose errors `/agent/responses` has. */
  readonly responses: Pick<Dialect, 'errorBody' | 'errorEvent'>;
}

type AgentCode = Pick<typeof import('./agent-loop.ts'), 'AgentLoop'> &
  Pick<typeof import('./agent-request.ts'), 'readAgentRequest' | 'readAgentResponse'> &
  Pick<typeof import('./agent-responses-voice.ts'), 'ResponsesVoice'> &
  Pick<typeof import('./agent-voice.ts'), 'ChatVoice'>;

const load = codeLoader(import.meta.url);

/** Loaded by the first request to an agent: it reads its requests by schemas, and knows tools of MCP. */
const agentCode = madeOnce(
  (): AgentCode => ({
    ...load('./agent-loop'),
    ...load('./agent-request'),
    ...load('./agent-responses-voice'),
    ...load('./agent-voice'),
  }),
);

/** One loop, told in two forms. */
export function agentRoutes({ responses, ...options }: AgentRouteOptions): Route[] {
  const route = (
    pattern: string,
    { errorBody }: Pick<Dialect, 'errorBody'>,
    read: 'readAgentRequest' | 'readAgentResponse',
    voice: (exchange: Exchange, request: AgentRequest) => AgentVoice,
  ): Route => ({
    pattern,
    method: 'POST',
    needsKey: true,
    body: 'whole',
    errorBody,
    handle: (exchange) => {
      const { AgentLoop, [read]: readRequest } = agentCode();
      const request = options.pipeline.refusal() ?? readRequest(exchange.body);
      exchange.releaseBody();
      if (!(request instanceof GatewayError)) {
        new AgentLoop(exchange, request, voice(exchange, request), options).begin();
        return;
      }
      exchange.refuse(request);
      options.pipeline.refused(exchange, request, { model: undefined });
      exchange.finish();
    },
  });
  const { dialect } = options;
  return [
    route('/agent/chat/completions', dialect, 'readAgentRequest', ({ id }, { tellsUsage }) => {
      const { ChatVoice } = agentCode();
      return new ChatVoice(id, tellsUsage, dialect.errorEvent);
    }),
    route('/agent/responses', responses, 'readAgentResponse', ({ id }, { model }) => {
      const { ResponsesVoice } = agentCode();
      return new ResponsesVoice(id, model, responses.errorEvent);
    }),
  ];
}
