import type { ClientRequest, IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import { GatewayError } from '../core/errors.ts';
import type { OrError } from '../core/exchange.ts';
import type { Mount, Target } from '../providers/provider.ts';
import type { RealtimeForm } from '../providers/realtime-form.ts';
import { overriddenHeaders } from '../relay/step-overrides.ts';
import type { StepOverrides } from '../routing/route-plan.ts';
import type { OriginPools } from '../upstream/origin-pools.ts';
import { transportError } from '../upstream/transport-error.ts';

export interface ProviderSocketRequest {
  readonly target: Target;
  readonly mount: Mount;
  readonly form: RealtimeForm;
  /** What its route changes of the headers; undefined: nothing. */
  readonly overrides: StepOverrides['headers'];
  readonly pools: Pick<OriginPools, 'connector'>;
  /** The subprotocols that the client offered. */
  readonly protocols: readonly string[];
  /** The client's own headers, of which the mount's `forwards` go on. */
  readonly forwardable: Readonly<Record<string, string>> | undefined;
  /** From the connection to the end of the handshake. */
  readonly connectMs: number;
  /** Bound of one message of the provider. */
  readonly maxMessageBytes: number;
}

/** The most bytes of an error body that `Wire.toError` gets. */
const MAX_ERROR_BYTES = 65_536;

/**
 * Opens a session at a provider (RFC 6455). The socket is paused, so that no message is lost before somebody listens. The
 * first session loads the library.
 */
export async function openProviderSocket(asked: ProviderSocketRequest): Promise<OrError<WebSocket>> {
  const { target, mount, pools, protocols, connectMs, maxMessageBytes, overrides, form } = asked;
  const { origin } = mount.connection;
  const own = mount.path(target, { stream: true });
  const path = form.address?.(own) ?? own;
  const sent = [...mount.headers, ...forwarded(asked)];
  const headers = overrides === undefined ? sent : overriddenHeaders(sent, overrides);
  const signed = mount.credential.sign({ method: 'GET', origin, path, headers, body: undefined });
  if (signed instanceof GatewayError) return signed;
  const connect = pools.connector(mount.connection);
  const { WebSocket } = await import('ws');
  const { hostname, port, protocol } = new URL(origin);
  const socket = new WebSocket(origin.replace(/^http/, 'ws') + path, [...protocols], {
    // A credential among the overrides takes the place of the target's.
    headers: { ...pairsOf([...headers, ...signed]), ...overrides?.set },
    perMessageDeflate: false,
    followRedirects: false,
    maxPayload: maxMessageBytes,
    // Messages pass as they are: their reader checks them.
    skipUTF8Validation: true,
    createConnection: ((_options: object, created: (error: Error | null, socket?: Duplex) => void) => {
      connect({ hostname, host: hostname, protocol, port, servername: hostname }, (error, opened) =>
        created(error, opened ?? undefined),
      );
    }) as never,
  });
  return new Promise((answered) => {
    const resolve = (result: OrError<WebSocket>): void => {
      clearTimeout(deadline);
      answered(result);
    };
    // The library's own limit counts silence alone: a provider that sends byte by byte would hold the client for ever.
    const deadline = connectMs === 0 ? undefined : setTimeout(onLate, connectMs);
    function onLate(): void {
      resolve(new GatewayError('connect_timeout', { setting: `timeouts.connect_ms: ${connectMs}` }));
      socket.terminate();
    }
    socket.once('open', () => {
      socket.pause();
      socket.off('error', onError);
      resolve(socket);
    });
    socket.once('unexpected-response', (request: ClientRequest, answer: IncomingMessage) => {
      void refusal(answer).then((body) => {
        resolve(mount.wire.toError(answer.statusCode, body, target));
        request.destroy();
      });
    });
    const onError = (cause: Error): void => resolve(openingError(cause));
    socket.once('error', onError);
    // Nobody waits for an error that follows the answer; unheard, it would end the thread.
    socket.on('error', () => {});
  });
}

/** No session was open yet, so a connection that breaks is one that was never made. */
function openingError(cause: Error): GatewayError {
  const error = transportError(cause, false);
  return error.code === 'upstream_cut' ? new GatewayError('connect_failed', error.context) : error;
}

function forwarded({ mount, forwardable }: ProviderSocketRequest): string[] {
  return mount.forwards.flatMap((name) => {
    const value = forwardable?.[name];
    return value === undefined ? [] : [name, value];
  });
}

function pairsOf(flat: readonly string[]): Record<string, string> {
  const pairs: Record<string, string> = {};
  for (let at = 0; at < flat.length; at += 2) pairs[flat[at]!] = flat[at + 1]!;
  return pairs;
}

async function refusal(answer: IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const piece of answer) {
      bytes += piece.length;
      if (bytes > MAX_ERROR_BYTES) break;
      pieces.push(piece);
    }
  } catch {
    // The bytes that came say why.
  }
  return Buffer.concat(pieces);
}
