import { GatewayError } from '../core/errors.ts';
import type { Exchange, OrError } from '../core/exchange.ts';
import type { Dialect } from '../dialects/dialect.ts';
import type { Route } from '../edge/routes.ts';
import { AgentLoop, type AgentOptions } from './agent-loop.ts';
import { type AgentRequest, readAgentRequest, readAgentResponse } from './agent-request.ts';
import { ResponsesVoice } from './agent-responses-voice.ts';
import { type AgentVoice, ChatVoice } from './agent-voice.ts';

export interface AgentRouteOptions extends AgentOptions {
  /** Whose errors `/agent/responses` has. */
  readonly responses: Pick<Dialect, 'errorBody' | 'errorEvent'>;
}

/** One loop, told in two forms. */
export function agentRoutes({ responses, ...options }: AgentRouteOptions): Route[] {
  const route = (
    pattern: string,
    { errorBody }: Pick<Dialect, 'errorBody'>,
    read: (body: Buffer) => OrError<AgentRequest>,
    voice: (exchange: Exchange, request: AgentRequest) => AgentVoice,
  ): Route => ({
    pattern,
    method: 'POST',
    needsKey: true,
    body: 'whole',
    errorBody,
    handle: (exchange) => {
      const request = options.pipeline.refusal() ?? read(exchange.body);
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
    route('/agent/chat/completions', dialect, readAgentRequest, ({ id }, { tellsUsage }) => {
      return new ChatVoice(id, tellsUsage, dialect.errorEvent);
    }),
    route('/agent/responses', responses, readAgentResponse, ({ id }, { model }) => {
      return new ResponsesVoice(id, model, responses.errorEvent);
    }),
  ];
}
