import type { GatewayError } from './errors.ts';
import type { JoinedHeaders } from './header-lines.ts';

/** The subject that an API key or JWT stands for. Made once per key, shared by all its exchanges, never changed. */
export interface Principal {
  /** `user:<email>` or `virtualaccount:<name>`. */
  readonly subject: string;
  /** Its name (configured), its id (issued) or `provider:id` (outside issuers): safe to log, never the key itself. */
  readonly keyId: string;
  readonly teams: readonly string[];
  /** Model patterns (`account/*`); undefined: all models. */
  readonly models: readonly string[] | undefined;
  readonly metadata: Readonly<Record<string, string>>;
  /** The addresses at which alone the token is good (RFC 8707); undefined: everywhere. */
  readonly audiences?: readonly string[];
  /** The scopes of an MCP token that the gateway issued (mcp/protocol/scopes.ts); undefined: all that its subject may. */
  readonly scopes?: readonly string[];
  /** A secret of a browser opens sessions of this model alone; undefined: it is none. */
  readonly session?: SecretSession;
}

/** What a secret for browsers (`POST /realtime/client_secrets`) is good for. */
export interface SecretSession {
  /** Canonical name. */
  readonly model: string;
  readonly type: 'realtime' | 'transcription';
  /** How the session begins, in the words of its form; undefined: as its client says. */
  readonly config: Readonly<Record<string, unknown>> | undefined;
}

/** The client headers that a later stage reads, filled by the edge from the head alone; undefined where absent. */
export interface HeadersOfInterest {
  contentType: string | undefined;
  accept: string | undefined;
  /** The origin that a browser sends. */
  origin?: string | undefined;
  readonly host?: string | undefined;
  traceparent: string | undefined;
  /** What the client sent, where `traceparent` is the gateway's own by now; undefined: none, or no traces are exported. */
  clientTraceparent?: string | undefined;
  tracestate: string | undefined;
  idempotencyKey: string | undefined;
  /** RFC 9110 §14.2 */
  range: string | undefined;
  /** Behind the `?` of the path, as it was sent; only where the route reads it (`readsQuery`). */
  query?: string | undefined;
  /** Path without its query, as it was sent. */
  readonly url?: string;
  /** All lines of the head, flat, names in lower case; only where the route passes them on (`passesHead`). */
  readonly lines?: readonly string[] | undefined;
  /** All `x-tfy-*` headers that were sent, by full name. */
  tfy: Record<string, string> | undefined;
  /** Those that some provider takes (`openai-beta`, `anthropic-version`, …), by full name. */
  forwardable: Record<string, string> | undefined;
}

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** Values of the parameters in a route's pattern, percent-decoded. */
export type PathParams = Readonly<Record<string, string>>;

/** Reads a body while its bytes arrive, so that a large one costs each turn of the loop only that turn's bytes. */
export interface BodyScan {
  /** buffer[0, end) has arrived; earlier bytes are as before, the buffer may be another one. */
  advance(buffer: Buffer, end: number): void;
}

/** Takes a body piece by piece. */
export interface BodyReceiver {
  /** The bytes are the edge's again when the call returns. */
  take(bytes: Uint8Array): void;
  /** All of it was taken. */
  end(): void;
  /** It does not come whole: too large, too slow. The receiver refuses the exchange with this error. */
  fail(error: GatewayError): void;
}

/** A body that is not collected: its bytes go to a receiver as they arrive. */
export interface ArrivingBody {
  /** Set before the route's `handle` returns, once; without one the bytes are dropped. */
  receiver: BodyReceiver | undefined;
  /** As the client says; undefined: it does not say. */
  readonly declaredBytes: number | undefined;
  /**
   * Reads no more of the client until `resume`. What the addon reads in this turn still comes: it goes on while the kernel
   * gives half a MiB at once, so a very fast client may send far more.
   */
  pause(): void;
  resume(): void;
}

/** Where a request body comes from that is not in memory. Each iteration begins at its first byte. */
export interface UploadSource extends AsyncIterable<Buffer> {
  readonly length: number;
}

/** A large body that is on the disk, as far as it came. */
export interface SpooledBody {
  /** As the client declared; undefined: it did not, and not all of it came yet. */
  readonly length: number | undefined;
  readonly isWhole: boolean;
  /** Waits for its end. Why it does not come; undefined: all of it is there. */
  whole(): Promise<GatewayError | undefined>;
  /** All of it in memory, once it is there. */
  read(maxBytes: number): Promise<OrError<Buffer>>;
  /** These pieces one behind another: bytes, and stretches of it, which are waited for. */
  source(pieces: readonly (Buffer | { start: number; end: number; base64?: true })[]): UploadSource;
  close(): void;
}

export type AbortReason = 'client' | 'write-timeout' | 'drain';

/** Sees an answer as its client gets it. */
export interface SinkTap {
  began(status: number, headers: readonly string[]): void;
  /** The bytes are as good as they are for the sink. */
  took(chunk: Uint8Array): void;
}

/**
 * Where an answer goes: one client, in order. Everything after an abort or an end is a no-op, never a throw.
 * The head is kept until the first byte (or until the turn of the loop ends), and what is written in one turn leaves as
 * one send.
 */
export interface ResponseSink {
  /**
   * Names are lower case; values are checked for control characters here and in `joinedHeaders`, and nowhere else.
   * `headers`: the content type first. `joined`: behind them.
   */
  start(status: number, headers: readonly string[], joined?: JoinedHeaders): void;
  /** Before `start`, of an answer that may be given in the very turn of its request. Absent: nothing depends on it. */
  waitForNextTurn?(): void;
  /**
   * Takes a chunk; the bytes are kept by reference until they have left, so the caller must not change them.
   * Returns false when more than the high watermark waits: stop writing until `onDrained`.
   */
  write(chunk: Uint8Array): boolean;
  /** Called once each time the waiting bytes fall to the low watermark after `write` returned false. */
  onDrained: (() => void) | undefined;
  /** The length of the body that an answer to HEAD leaves out, where it is known. */
  declaredBytes?: number | undefined;
  end(chunk?: Uint8Array): void;
  /** Ends without the terminating chunk, after what was written has left, so that no client takes it for a whole answer. */
  cut(): void;
  /** Whether a byte of the answer (head included) was handed over. */
  readonly started: boolean;
  /** Bytes of body written so far. */
  readonly bytesOut: number;
  /** Sees all that is written, whoever writes it. */
  tap?: SinkTap | undefined;
}

/** One client request with its whole response. Made by the edge when the head was accepted; owned by the pipeline. */
export interface Exchange {
  /** Generated; what records, ledger and receipts use. */
  readonly id: string;
  /** The client's `x-request-id` if sane, else `id`: a label, never an identity. */
  readonly requestId: string;
  readonly principal: Principal;
  readonly method: string;
  /** The route's pattern without base path, as `/chat/completions` or `/models/{+id}`: there are only so many. */
  readonly path: string;
  readonly params: PathParams;
  readonly headers: HeadersOfInterest;
  /** The whole body, owned by the exchange: valid until it ends. */
  body: Buffer;
  /** The body as it arrives, where the route streams it; else undefined. */
  readonly arriving: ArrivingBody | undefined;
  /** In the place of `body`; closed with the exchange. */
  spooled?: SpooledBody | undefined;
  /** Bytes of the request body, also after it was let go. */
  readonly bytesIn: number;
  /** Made for the path by the route; has seen the whole body. Undefined: no form has one, or its result was taken. */
  scan: BodyScan | undefined;
  readonly sink: ResponseSink;
  /** performance.now() when the head was read. */
  readonly startedAt: number;
  /** performance.now() when the last body byte was read. */
  bodyReadAt: number;
  /** Fires once: the client left, took nothing for too long, or the drain deadline came. Set by the pipeline. */
  onAbort: ((reason: AbortReason) => void) | undefined;
  aborted: AbortReason | undefined;
  /**
   * On every answer: `x-request-id`, `x-sluice-exchange-id`, `server-timing` and, for browsers, CORS. `upstreamMs`: what
   * of the time since the body was read was the provider's; 0 where none was asked. `attempts`: further parts of
   * `server-timing`, a comma before each.
   */
  pushOwnHeaders(list: string[], upstreamMs: number, attempts?: string): void;
  /** Answers with the error's body in the caller's dialect; where the head is out already, it only cuts. */
  refuse(error: GatewayError, headers?: readonly string[], upstreamMs?: number, attempts?: string): void;
  /**
   * JSON of `{address, userAgent, path}` for the record of a refusal (ExchangeRecord.clientJson). To be asked in the turn of
   * the refusal; undefined where the client has left, or has its answer already.
   */
  clientJson(): string | undefined;
  /**
   * The memory of a large body is used again once nobody reads it. Who hands the body to somebody that reads it later
   * calls this, and what it gives once that one has read all. Where that is never certain it is never called, and the
   * memory is left to the collector.
   */
  keepBody(): () => void;
  /** Gives the memory of the body back; the exchange goes on without it. */
  releaseBody(): void;
  /** The pipeline calls it exactly once when nothing of this exchange is left to do: slots are given back here. */
  finish(): void;
}

export type OrError<T> = T | GatewayError;
