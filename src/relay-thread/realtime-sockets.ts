import { GatewayError } from '../core/errors.ts';
import type { OrError } from '../core/exchange.ts';
import type { Dialect } from '../dialects/dialect.ts';
import type { Route } from '../edge/routes.ts';
import type { AcceptedSocket, SocketRequest, SocketRoute } from '../edge/web-sockets.ts';
import type { PipelineOptions } from '../pipeline/pipeline-options.ts';
import { realtimeForm, realtimeWords } from '../plugs.ts';
import { queryParameter } from '../proxy/proxy-path.ts';
import { openSession, type SessionRequest } from '../realtime/open-session.ts';
import { abandon, RealtimeSession } from '../realtime/realtime-session.ts';
import { CLIENT_SECRET_AUDIENCE } from '../store/token-form.ts';
import { inFlightFull, type SharedCounters } from '../threads/shared-counters.ts';

export interface RealtimeSocketsOptions {
  readonly pipeline: PipelineOptions;
  readonly dialect: Dialect;
  readonly counters: SharedCounters;
  renewed: SessionRequest['renewed'];
}

/** OpenAI's address, for a model of any account. */
const ANY_ACCOUNT = '/realtime';
/** The reference product's: behind it stands what the vendor's own SDK asks for. */
const OF_ACCOUNT = '/live/{account}/{*path}';

/** The paths of sessions, for whoever asks them for something else than a WebSocket. */
export function realtimeRoutes(
  errorBody: Route['errorBody'],
  refused: (exchange: Parameters<Route['handle']>[0], error: GatewayError) => void,
): Route[] {
  return [ANY_ACCOUNT, OF_ACCOUNT].map((pattern) => ({
    pattern,
    method: 'GET',
    needsKey: true,
    body: 'none',
    errorBody,
    handle: (exchange) => {
      const error = new GatewayError('invalid_header', {
        param: 'upgrade',
        detail: 'This path takes WebSockets alone.',
      });
      exchange.refuse(error);
      refused(exchange, error);
      exchange.finish();
    },
  }));
}

/** `GET /realtime` and `GET /live/{account}/…` as WebSockets. */
export function realtimeSockets(options: RealtimeSocketsOptions): SocketRoute[] {
  return [ANY_ACCOUNT, OF_ACCOUNT].map((pattern) => ({
    pattern,
    audience: CLIENT_SECRET_AUDIENCE,
    accept: (request) => accept(pattern, request, options),
  }));
}

async function accept(
  pattern: string,
  request: SocketRequest,
  { pipeline, dialect, counters, renewed }: RealtimeSocketsOptions,
): Promise<OrError<AcceptedSocket>> {
  const { settings } = pipeline.snapshot();
  const { maxInFlight } = settings.limits;
  const full = pipeline.refusal();
  if (full) return full;
  if (!counters.enter(maxInFlight)) return inFlightFull(maxInFlight);
  let isIn = true;
  const leave = (): void => {
    if (isIn) counters.leave();
    isIn = false;
  };
  const { account, path = '' } = request.params;
  const { principal, headers, protocols, requestId } = request;
  const secret = principal.session;
  const isForText = queryParameter(headers.query, 'intent') === 'transcription';
  const form = realtimeForm(path, secret?.type ?? (isForText ? 'transcription' : 'realtime'));
  const words = realtimeWords(path);
  const asked = { pipeline, form, words, dialect, path: pattern, principal, headers, protocols, requestId, renewed };
  const open = (model: string) => openSession(asked, nameOf(model, account));
  const config = secret?.config;
  const session = { form, config, settings: settings.realtime, open, errorBody: dialect.errorBody, onClosed: leave };
  const named = queryParameter(headers.query, 'model') ?? queryParameter(headers.query, 'deployment') ?? secret?.model;
  const isNamed = named !== undefined && named !== '';
  if (form.modelOf !== undefined && !(isNamed && form.isAddressed)) {
    return { open: (socket) => new RealtimeSession(socket, session, undefined), abandoned: leave };
  }
  if (!isNamed) {
    leave();
    return new GatewayError('missing_parameter', { param: 'model', detail: 'It stands in the query: `?model=…`.' });
  }
  const provider = await open(named).catch((cause) => new GatewayError('internal_error', { cause }));
  if (provider instanceof GatewayError) {
    leave();
    return provider;
  }
  return {
    open: (socket) => new RealtimeSession(socket, session, provider),
    abandoned() {
      abandon(provider);
      leave();
    },
  };
}

/** Behind an account's own path its models need no account in front. */
function nameOf(model: string, account: string | undefined): string {
  return account === undefined || model.startsWith(`${account}/`) ? model : `${account}/${model}`;
}
