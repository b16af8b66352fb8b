import { isObject, parseObject, stringOf } from '../codec/json-value.ts';
import { SseParser } from '../codec/sse-parser.ts';
import { GatewayError } from '../core/errors.ts';
import type { OrError, Principal } from '../core/exchange.ts';
import { exchangeId } from '../core/ids.ts';
import { type AnswerReceiver, LocalExchange } from '../core/local-exchange.ts';
import type { Dialect } from '../dialects/dialect.ts';
import type { ClientSocket, SocketHandler, SocketRoute } from '../edge/web-sockets.ts';
import { HeldMemory, type SharedMemory } from '../relay/held-memory.ts';
import type { KeptChain } from '../store/responses.ts';
import { inFlightFull, type SharedCounters } from '../threads/shared-counters.ts';
import { type ConversationMemory, joined, runConversation } from './conversation-turn.ts';
import type { ResponseEndpoints } from './responses-endpoint.ts';

/** As OpenAI's: https://developers.openai.com/api/docs/guides/websocket-mode */
const MAX_LIFE_MS = 3_600_000;
/** Turns that wait for the one under way. */
const MAX_WAITING = 16;
const NORMAL_CLOSE = 1000;
const GOING_AWAY = 1001;
const POLICY_CLOSE = 1008;
const TOO_BIG_CLOSE = 1009;

export interface ResponsesSocketOptions {
  readonly dialect: Dialect;
  readonly responses: Pick<ResponseEndpoints, 'rows' | 'pipeline'>;
  readonly counters: SharedCounters & SharedMemory;
  /** The client's principal as it is now; asked with each turn, since a socket outlives the check of its head. */
  renewed(principal: Principal): OrError<Principal>;
}

/** `GET /responses` as a WebSocket: `response.create` events, one after the other, over any provider. */
export function responsesSocket(options: ResponsesSocketOptions): SocketRoute {
  const accepted = { open: (socket: ClientSocket) => new ResponsesSocket(socket, options), abandoned: () => {} };
  return { pattern: '/responses', accept: () => accepted };
}

class ResponsesSocket implements SocketHandler, ConversationMemory {
  readonly #socket: ClientSocket;
  readonly #o: ResponsesSocketOptions;
  /** The memory of the latest answer. */
  readonly #memory: HeldMemory;
  /** The memory of messages: the one of the turn under way, and those that wait. */
  readonly #messages: HeldMemory;
  #messageBytes = 0;
  #turnBytes = 0;
  readonly #life: NodeJS.Timeout;
  readonly #waiting: Buffer[] = [];
  #principal: Principal;
  #turn: LocalExchange | undefined;
  /** The latest answer, whether or not it is kept elsewhere. */
  #last: { readonly id: string; readonly chain: KeptChain } | undefined;
  #ends: 'at once' | 'with its time' | undefined;

  constructor(socket: ClientSocket, options: ResponsesSocketOptions) {
    this.#socket = socket;
    this.#principal = socket.principal;
    this.#o = options;
    const { limits } = options.responses.pipeline.snapshot().settings;
    this.#memory = new HeldMemory(options.counters, limits.maxBodyMemoryBytes);
    this.#messages = new HeldMemory(options.counters, limits.maxBodyMemoryBytes);
    this.#life = setTimeout(() => this.#end('with its time'), MAX_LIFE_MS).unref();
  }

  message(bytes: Buffer): void {
    const refusal = this.#refusal(bytes.length);
    if (refusal) {
      this.#fail(refusal);
      return;
    }
    this.#messageBytes += bytes.length;
    if (this.#turn === undefined) this.#begin(bytes);
    else this.#waiting.push(bytes);
  }

  /** Why there is no room for one more message; undefined: its memory is held. */
  #refusal(bytes: number): GatewayError | undefined {
    if (this.#waiting.length >= MAX_WAITING) {
      const detail = `${MAX_WAITING} turns wait already.`;
      return new GatewayError('socket_queue_full', { detail, retryAfterMs: 1_000 });
    }
    if (this.#messages.mayHold(this.#messageBytes + bytes)) return undefined;
    return new GatewayError('body_memory_full', { setting: this.#messages.setting, retryAfterMs: 1_000 });
  }

  tooLarge(maxBytes: number): void {
    const setting = `limits.max_body_bytes: ${maxBytes}`;
    this.#socket.send(errorText(new GatewayError('body_too_large', { setting }), this.#o.dialect));
    this.#socket.close(TOO_BIG_CLOSE, setting);
  }

  drained(): void {
    this.#turn?.drained();
  }

  closed(): void {
    clearTimeout(this.#life);
    this.#waiting.length = 0;
    this.#last = undefined;
    this.#memory.release();
    this.#turn?.abort('client');
    this.#messages.release();
  }

  drain(): void {
    this.#end('at once');
  }

  cut(): void {
    this.#turn?.abort('drain');
    this.#socket.close(GOING_AWAY, 'the gateway stops');
  }

  // ── what stays on the connection ──────────────────────────────────────────

  recall(previousId: string): KeptChain | undefined {
    return this.#last?.id === previousId ? this.#last.chain : undefined;
  }

  remember(id: string, chain: KeptChain): void {
    const { maxBodyBytes } = this.#o.responses.pipeline.snapshot().settings.limits;
    const bytes = chain.items.length;
    const fits = bytes <= maxBodyBytes && this.#memory.mayHold(bytes);
    this.#last = fits ? { id, chain } : undefined;
  }

  // ── turns ─────────────────────────────────────────────────────────────────

  #begin(bytes: Buffer): void {
    this.#turnBytes = bytes.length;
    const principal = this.#o.renewed(this.#principal);
    if (principal instanceof GatewayError) {
      this.#socket.send(errorText(principal, this.#o.dialect));
      this.#socket.close(POLICY_CLOSE, 'the key is good no more');
      return;
    }
    this.#principal = principal;
    const event = parseObject(bytes.toString());
    if (event === undefined) {
      this.#fail(new GatewayError('invalid_json'));
      return;
    }
    const { type, generate, ...request } = event;
    if (type !== 'response.create') {
      const detail = '`type`: It is `response.create`; no other event is known here.';
      this.#fail(new GatewayError('invalid_parameter', { param: 'type', detail }));
      return;
    }
    if (request['background'] === true) {
      const detail = '`background` has no meaning on a socket.';
      this.#fail(new GatewayError('invalid_parameter', { param: 'background', detail }));
      return;
    }
    if (generate === false) this.#warmUp(request);
    else this.#run(Buffer.from(JSON.stringify({ ...request, stream: true })), stringOf(event['previous_response_id']));
  }

  #run(body: Buffer, previousId: string | undefined): void {
    const { dialect, responses, counters } = this.#o;
    const { maxInFlight } = responses.pipeline.snapshot().settings.limits;
    if (!counters.enter(maxInFlight)) {
      this.#fail(inFlightFull(maxInFlight));
      return;
    }
    const { headers } = this.#socket;
    const before = this.#last;
    const receiver = new SocketReceiver(this.#socket, dialect, () => {
      counters.leave();
      this.#turn = undefined;
      // As the service does: a turn that failed leaves nothing that a client could go on from by mistake.
      if (before !== undefined && before.id === previousId && this.#last === before) this.#last = undefined;
      this.#next();
    });
    const request = {
      method: 'GET',
      path: '/responses',
      principal: this.#principal,
      body,
      headers,
      scan: dialect.scan,
    };
    const turn = new LocalExchange(request, receiver);
    this.#turn = turn;
    runConversation(turn, dialect, { ...responses, memory: this });
  }

  /** What a later turn will begin with: nothing is asked yet. */
  #warmUp(request: Record<string, unknown>): void {
    const id = `resp_${exchangeId().replaceAll('-', '')}`;
    const previousId = stringOf(request['previous_response_id']);
    const before = previousId === undefined ? undefined : this.recall(previousId);
    if (previousId !== undefined && before === undefined) {
      const detail = `\`previous_response_id\`: the latest response of this connection is another one.`;
      this.#fail(new GatewayError('previous_response_not_found', { param: 'previous_response_id', detail }));
      return;
    }
    const { input } = request;
    const items = typeof input === 'string' ? [{ type: 'message', role: 'user', content: input }] : (input ?? []);
    const chain = { target: '', atProvider: false, passed: false };
    this.remember(id, { ...chain, items: joined([before?.items ?? '[]', JSON.stringify(items)]) });
    const { input: _input, ...repeated } = request;
    const created = { ...repeated, id, object: 'response', created_at: Math.floor(Date.now() / 1000), output: [] };
    const events = [
      { type: 'response.created', response: { ...created, status: 'in_progress', usage: null } },
      { type: 'response.completed', response: { ...created, status: 'completed', usage: null } },
    ];
    for (const [number, event] of events.entries()) {
      this.#socket.send(JSON.stringify({ ...event, sequence_number: number }));
    }
    this.#next();
  }

  /** A turn is over: its memory is given back, and the next one begins. */
  #next(): void {
    this.#messageBytes -= this.#turnBytes;
    this.#turnBytes = 0;
    if (this.#messageBytes === 0) this.#messages.release();
    const next = this.#waiting.shift();
    if (next) this.#begin(next);
    else if (this.#ends !== undefined) this.#close();
  }

  #fail(error: GatewayError): void {
    this.#socket.send(errorText(error, this.#o.dialect));
    if (this.#turn === undefined) this.#next();
  }

  // ── the end ───────────────────────────────────────────────────────────────

  #end(how: 'at once' | 'with its time'): void {
    this.#ends ??= how;
    if (this.#turn === undefined) this.#close();
  }

  #close(): void {
    if (this.#ends === 'with its time') {
      const message = 'Responses websocket connection limit reached (60 minutes). Open a new one to go on.';
      const error = { type: 'invalid_request_error', code: 'websocket_connection_limit_reached', message, param: null };
      this.#socket.send(JSON.stringify({ type: 'error', status: 400, error }));
    }
    this.#socket.close(this.#ends === 'at once' ? GOING_AWAY : NORMAL_CLOSE, 'the connection has ended');
  }
}

/** `{"type": "error", "status", "error"}`: as the service tells failures on a socket. */
function errorText(error: GatewayError, dialect: Dialect): string {
  const told = parseObject(Buffer.from(dialect.errorBody(error)).toString())?.['error'];
  return JSON.stringify({ type: 'error', status: error.status, error: isObject(told) ? told : {} });
}

/** An event is not larger than an answer may be. */
const MAX_EVENT_BYTES = 64 * 1024 * 1024;

/** Takes an event stream and sends the data of each event as a message. */
class SocketReceiver implements AnswerReceiver {
  readonly #socket: ClientSocket;
  readonly #dialect: Dialect;
  readonly #onOver: () => void;
  readonly #parser: SseParser;
  #ready = true;

  constructor(socket: ClientSocket, dialect: Dialect, onOver: () => void) {
    this.#socket = socket;
    this.#dialect = dialect;
    this.#onOver = onOver;
    this.#parser = new SseParser((_name, data) => {
      if (data !== '[DONE]') this.#ready = socket.send(data);
    }, MAX_EVENT_BYTES);
  }

  take(chunk: Uint8Array): boolean {
    this.#ready = true;
    this.#parser.push(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength));
    return this.#ready;
  }

  refused(error: GatewayError): void {
    this.#socket.send(errorText(error, this.#dialect));
  }

  /** The error event was written before, and the next turn may follow. */
  over(): void {
    this.#onOver();
  }
}
