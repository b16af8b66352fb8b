import type { MessagePort } from 'node:worker_threads';
import { type ErrorCode, type ErrorContext, GatewayError } from '../core/errors.ts';
import type { Flight, FlightReader } from './flight.ts';
import type { FlightClaims } from './flight-claims.ts';
import type { AnswerKey } from './shared-answers.ts';

/** Other threads send these to the thread that asks the provider. */
type ToLeader =
  | { readonly type: 'join'; readonly id: number; readonly key: string }
  | { readonly type: 'leave'; readonly id: number };

/** The leading thread answers with these. `ends`: the offsets in `bytes` at which the pieces end. */
type FromLeader = { readonly id: number } & (
  | { readonly type: 'joined' }
  | {
      readonly type: 'begun';
      readonly contentType: string;
      readonly stream: boolean;
      readonly target: string;
      readonly exchange: string;
    }
  | { readonly type: 'pieces'; readonly bytes: Uint8Array<ArrayBuffer>; readonly ends: readonly number[] }
  | { readonly type: 'whole'; readonly nanoUsd: number | undefined }
  | { readonly type: 'failed'; readonly code: ErrorCode; readonly context: ErrorContext }
  /** Nobody asks for it there, or not any more. */
  | { readonly type: 'orphaned' }
);

export interface RemoteFlightsOptions {
  readonly thread: number;
  readonly claims: FlightClaims;
  /** A port to another relay thread, which serves it. */
  connect(to: number): MessagePort;
}

/** So long a thread has to say that it heard of a join, and an answer that nobody joins is remembered. */
const HEARD_MS = 1_000;

interface Mirror {
  readonly flight: Flight;
  readonly to: number;
  readonly timer: NodeJS.Timeout;
  isSent: boolean;
  isHeard: boolean;
}

/** A claim whose attempt has not begun, and who waits for it. */
interface Claim {
  readonly words: AnswerKey;
  readonly waiting: Map<MessagePort, Set<number>>;
}

/**
 * Equal requests of several relay threads share one attempt: the first to ask claims it, and the others are sent what
 * comes, from the beginning, over a port. To its own exchanges a thread shows such an answer as one that is on its way.
 */
export class RemoteFlights {
  readonly #options: RemoteFlightsOptions;
  /** By thread, for what is asked of it. */
  readonly #ports = new Map<number, MessagePort>();
  readonly #mirrors = new Map<number, Mirror>();
  #lastId = 0;
  /** By key of the flight. */
  readonly #claims = new Map<string, Claim>();
  readonly #held = new Map<string, { readonly flight: Flight; readonly words: AnswerKey }>();
  readonly #readers = new Map<MessagePort, Map<number, RemoteReader>>();

  constructor(options: RemoteFlightsOptions) {
    this.#options = options;
  }

  /**
   * Another thread that asks for it; undefined: this one is to. `true` in its place: and it claims the answer, so that
   * `begin` or `unclaim` has to follow.
   */
  claim(words: AnswerKey, key: string): number | true | undefined {
    if (this.#claims.has(key) || this.#held.has(key)) return undefined;
    const { claims, thread } = this.#options;
    const leader = claims.claim(words);
    if (leader !== thread) return leader;
    this.#claims.set(key, { words, waiting: new Map() });
    return true;
  }

  /** The claimed answer is asked for. */
  begin(key: string, flight: Flight): void {
    const claim = this.#claims.get(key);
    if (claim === undefined) return;
    this.#claims.delete(key);
    this.#held.set(key, { flight, words: claim.words });
    for (const [port, ids] of claim.waiting) for (const id of ids) this.#join(port, id, flight);
  }

  /** Nobody asks for what was claimed. */
  unclaim(key: string): void {
    const claim = this.#claims.get(key);
    if (claim === undefined) return;
    this.#claims.delete(key);
    this.#options.claims.release(claim.words);
    for (const [port, ids] of claim.waiting) for (const id of ids) post(port, { type: 'orphaned', id });
  }

  /** Nobody may join it any more. */
  over(key: string, flight: Flight): void {
    const held = this.#held.get(key);
    if (held?.flight !== flight) return;
    this.#held.delete(key);
    this.#options.claims.release(held.words);
  }

  // ── an answer of another thread ───────────────────────────────────────────

  /** `flight` becomes what thread `to` sends of it, once somebody reads it. */
  follow(to: number, key: string, flight: Flight): void {
    this.#lastId += 1;
    const id = this.#lastId;
    const timer = setTimeout(() => {
      if (!mirror.isHeard) flight.left();
    }, HEARD_MS).unref();
    const mirror: Mirror = { flight, to, timer, isSent: false, isHeard: false };
    this.#mirrors.set(id, mirror);
    flight.leader = {
      joined: () => {
        if (mirror.isSent) return;
        mirror.isSent = true;
        this.#portTo(to).postMessage({ type: 'join', id, key } satisfies ToLeader);
      },
      unjoined: () => {
        this.#leave(id);
        flight.left();
      },
    };
  }

  /** It needs nothing more, whatever its thread sends. */
  forget(flight: Flight): void {
    for (const [id, mirror] of this.#mirrors) if (mirror.flight === flight) this.#leave(id);
  }

  #leave(id: number): void {
    const mirror = this.#end(id);
    if (mirror?.isSent) this.#ports.get(mirror.to)?.postMessage({ type: 'leave', id } satisfies ToLeader);
  }

  #end(id: number): Mirror | undefined {
    const mirror = this.#mirrors.get(id);
    clearTimeout(mirror?.timer);
    this.#mirrors.delete(id);
    return mirror;
  }

  #portTo(thread: number): MessagePort {
    let port = this.#ports.get(thread);
    if (port === undefined) {
      port = this.#options.connect(thread);
      port.on('message', (message: FromLeader) => this.#hear(message));
      port.on('close', () => this.#lost(thread));
      port.unref();
      this.#ports.set(thread, port);
    }
    return port;
  }

  /** The thread ended: nobody sends the rest of its answers. */
  #lost(thread: number): void {
    this.#ports.delete(thread);
    for (const [id, mirror] of [...this.#mirrors])
      if (mirror.to === thread && mirror.isSent) this.#end(id)?.flight.left();
  }

  #hear(message: FromLeader): void {
    const { id } = message;
    const mirror = this.#mirrors.get(id);
    if (mirror === undefined) return;
    const { flight } = mirror;
    mirror.isHeard = true;
    switch (message.type) {
      case 'joined':
        return;
      case 'begun':
        flight.exchange = message.exchange;
        flight.begin(message);
        return;
      case 'pieces':
        addPieces(flight, message);
        return;
      case 'whole':
        this.#end(id);
        flight.finish(message.nanoUsd);
        return;
      case 'failed':
        this.#end(id);
        flight.fail(new GatewayError(message.code, message.context));
        return;
      case 'orphaned':
        this.#end(id);
        flight.left();
    }
  }

  // ── for other threads ─────────────────────────────────────────────────────

  serve(port: MessagePort): void {
    const readers = new Map<number, RemoteReader>();
    this.#readers.set(port, readers);
    port.on('message', (message: ToLeader) => {
      if (message.type === 'join') this.#wanted(port, message);
      else this.#left(port, message.id);
    });
    port.on('close', () => {
      this.#readers.delete(port);
      for (const reader of readers.values()) reader.leave();
      for (const { waiting } of this.#claims.values()) waiting.delete(port);
    });
    port.unref();
  }

  #wanted(port: MessagePort, { id, key }: Extract<ToLeader, { type: 'join' }>): void {
    const flight = this.#held.get(key)?.flight;
    const claim = this.#claims.get(key);
    if (flight === undefined && claim === undefined) {
      post(port, { type: 'orphaned', id });
      return;
    }
    post(port, { type: 'joined', id });
    if (flight !== undefined) this.#join(port, id, flight);
    else {
      const waiting = claim!.waiting.get(port) ?? new Set();
      claim!.waiting.set(port, waiting.add(id));
    }
  }

  #left(port: MessagePort, id: number): void {
    this.#readers.get(port)?.get(id)?.leave();
    for (const { waiting } of this.#claims.values()) waiting.get(port)?.delete(id);
  }

  #join(port: MessagePort, id: number, flight: Flight): void {
    const readers = this.#readers.get(port);
    if (readers === undefined) return;
    const reader = new RemoteReader(flight, port, id, () => readers.delete(id));
    readers.set(id, reader);
    flight.join(reader);
    reader.moved();
  }
}

/** Sends an answer to another thread while it comes. What comes within one turn goes as one message. */
class RemoteReader implements FlightReader {
  readonly #flight: Flight;
  readonly #port: MessagePort;
  readonly #id: number;
  readonly #onOver: () => void;
  #sent = 0;
  #isBegun = false;
  #isDue = false;
  #over = false;

  constructor(flight: Flight, port: MessagePort, id: number, onOver: () => void) {
    this.#flight = flight;
    this.#port = port;
    this.#id = id;
    this.#onOver = onOver;
  }

  moved(): void {
    if (this.#isDue || this.#over) return;
    this.#isDue = true;
    setImmediate(() => {
      this.#isDue = false;
      if (!this.#over) this.#send();
    });
  }

  failed({ code, context }: GatewayError): void {
    if (this.#over) return;
    this.#send();
    // What caused it is for the log of the thread that asked.
    const { cause: _, ...told } = context;
    post(this.#port, { type: 'failed', id: this.#id, code, context: told });
    this.leave();
  }

  orphaned(): void {
    if (this.#over) return;
    post(this.#port, { type: 'orphaned', id: this.#id });
    this.leave();
  }

  leave(): void {
    if (this.#over) return;
    this.#over = true;
    this.#onOver();
    this.#flight.leave(this);
  }

  #send(): void {
    const flight = this.#flight;
    const id = this.#id;
    const { contentType, isStream: stream, target, exchange } = flight;
    if (contentType === undefined) return;
    if (!this.#isBegun) {
      this.#isBegun = true;
      post(this.#port, { type: 'begun', id, contentType, stream, target, exchange });
    }
    const { pieces } = flight;
    if (pieces > this.#sent) {
      const bytes = new Uint8Array(flight.slice(this.#sent, pieces));
      const { ends } = flight.recording;
      const start = this.#sent === 0 ? 0 : ends[this.#sent - 1]!;
      const from = this.#sent;
      this.#sent = pieces;
      const message = { type: 'pieces', id, bytes, ends: ends.slice(from, pieces).map((end) => end - start) } as const;
      this.#port.postMessage(message satisfies FromLeader, [bytes.buffer]);
    }
    if (!flight.isWhole) return;
    post(this.#port, { type: 'whole', id, nanoUsd: flight.nanoUsd });
    this.leave();
  }
}

function addPieces(flight: Flight, { bytes, ends }: Extract<FromLeader, { type: 'pieces' }>): void {
  const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  let from = 0;
  for (const end of ends) {
    flight.add(all.subarray(from, end));
    from = end;
  }
}

function post(port: MessagePort, message: FromLeader): void {
  port.postMessage(message);
}
