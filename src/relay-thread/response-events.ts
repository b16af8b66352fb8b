import { parseObject } from '../codec/json-value.ts';
import { GatewayError } from '../core/errors.ts';
import type { Exchange } from '../core/exchange.ts';
import type { DialectBackground } from '../dialects/dialect.ts';
import type { PipelineOptions } from '../pipeline/pipeline-options.ts';
import { KEEP_ALIVE } from '../relay/relay.ts';
import type { ResponseKey } from '../store/background-responses.ts';
import type { ResponseRows } from './response-rows.ts';

/** How often the database is asked for further events. */
const POLL_MS = 200;
/** Statuses of an answer whose last event holds all of it. */
const TOLD_ENDS: ReadonlySet<unknown> = new Set(['completed', 'incomplete', 'failed', 'cancelled']);
const NUMBER = /"sequence_number"\s*:\s*(\d{1,9})/;

/** Begins an answer that is a stream of events. */
export function startEvents(exchange: Exchange): void {
  const headers = ['content-type', 'text/event-stream; charset=utf-8', 'cache-control', 'no-cache'];
  exchange.pushOwnHeaders(headers, 0);
  exchange.sink.start(200, headers);
}

export interface ToldEvents {
  readonly rows: ResponseRows;
  readonly pipeline: PipelineOptions;
  readonly form: DialectBackground;
}

/**
 * Tells the events of a kept answer behind number `after`, and those that are still to come, to their end. What is no longer
 * kept is left out: the last event holds the whole answer, also of one that was cancelled. Where the answer is gone meanwhile,
 * the last event is an error, and the connection is cut. Resolves when the stream has ended or its client has left.
 */
export async function tellEvents(
  exchange: Exchange,
  key: ResponseKey,
  after: number,
  { rows, pipeline, form }: ToldEvents,
): Promise<void> {
  const { sink } = exchange;
  const client = new WaitingClient(exchange);
  let last = after;
  let silentSince = performance.now();
  for (let hasEnded = false; !client.left; ) {
    const events = await rows.events(key, last);
    if (events instanceof GatewayError) {
      await client.write(form.errorEvent(events, last + 1));
      break;
    }
    if (events) {
      silentSince = performance.now();
      await client.write(Buffer.from(behind(events.text, last)));
      last = events.last;
      continue;
    }
    const kept = await rows.find(key.id, key.owner);
    if (kept instanceof GatewayError) {
      // It was deleted, or the database is away: the stream has no end.
      await client.write(form.errorEvent(gone(kept, key.id), last + 1));
      break;
    }
    if (hasEnded) {
      if (client.left) return;
      const response = parseObject(kept.response) ?? {};
      const { status } = response;
      if (TOLD_ENDS.has(status) && !client.endsWith(`response.${status}`)) {
        const type = `response.${status}`;
        const told = { type, sequence_number: last + 1, response };
        await client.write(Buffer.from(`event: ${type}\ndata: ${JSON.stringify(told)}\n\n`));
      }
      sink.end();
      return;
    }
    // Its last events may have come in between.
    hasEnded = kept.leaseUntil === undefined;
    if (hasEnded) continue;
    const { keepaliveCommentMs } = pipeline.snapshot().settings;
    if (keepaliveCommentMs > 0 && performance.now() - silentSince > keepaliveCommentMs) {
      silentSince = performance.now();
      await client.write(KEEP_ALIVE);
    }
    await client.pause(POLL_MS);
  }
  sink.cut();
}

function gone(error: GatewayError, id: string): GatewayError {
  if (error.code !== 'not_found') return error;
  return new GatewayError('not_found', { detail: `The response \`${id}\` was deleted while its events were told.` });
}

/** Those events that come behind this number; each ends with an empty line. */
function behind(events: string, after: number): string {
  return events
    .split(/(?<=\n\n)/)
    .filter((event) => Number(NUMBER.exec(event)?.[1] ?? after + 1) > after)
    .join('');
}

/** A client that is told as much as it takes. */
class WaitingClient {
  readonly #exchange: Exchange;
  #wake: (() => void) | undefined;
  #tail = '';

  constructor(exchange: Exchange) {
    this.#exchange = exchange;
    const abort = exchange.onAbort;
    exchange.onAbort = (reason) => {
      abort?.(reason);
      this.#wake?.();
    };
    exchange.sink.onDrained = () => this.#wake?.();
  }

  get left(): boolean {
    return this.#exchange.aborted !== undefined;
  }

  /** Resolves when more may be written. */
  async write(bytes: Uint8Array): Promise<void> {
    if (bytes.length === 0 || this.left) return;
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#tail = text.toString('utf8', Math.max(0, text.lastIndexOf('event: ')));
    if (this.#exchange.sink.write(bytes)) return;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    this.#wake = undefined;
  }

  /** Waits for so long, or until the client leaves. */
  async pause(ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#wake = undefined;
  }

  /** Whether the last event that it was told is of this type. */
  endsWith(type: string): boolean {
    return this.#tail.startsWith(`event: ${type}\n`);
  }
}
