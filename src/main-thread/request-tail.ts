import type { Configuration } from '../config/configuration.ts';
import { GatewayError } from '../core/errors.ts';
import type { OrError } from '../core/exchange.ts';
import type { AdminAnswer, AdminRequest, AdminRoute, AnswerStream } from '../operator/admin/admin-route.ts';
import { seesOf } from '../operator/admin/data-filter.ts';
import type { RecordView } from '../telemetry/exchange-record.ts';
import type { MainService } from './main-service.ts';

export interface RequestTailOptions {
  readonly access: () => Pick<Configuration, 'identities' | 'dataAccess'>;
}

interface TailEvent {
  readonly number: number;
  readonly text: string;
  readonly subject: string | undefined;
  readonly teamsJson: string | undefined;
  readonly metadataJson: string | undefined;
  readonly status: number;
}

interface Listener {
  readonly out: AnswerStream;
  wants(event: TailEvent): boolean;
  /** Events that were not written since the client takes nothing. */
  skipped: number;
}

const MAX_LISTENERS = 16;
/** Kept for those that come back. */
const MAX_EVENTS = 512;
/** How long events are kept after the last listener left. */
const LINGER_MS = 60_000;
const COMMENT_MS = 10_000;

/**
 * Exchanges as they end, for those that watch. While nobody does, and a minute after, nothing is made of a record. A slow
 * listener has events skipped, and is told how many.
 */
export class RequestTail implements MainService {
  readonly #options: RequestTailOptions;
  readonly #listeners = new Set<Listener>();
  /** The last of them; begun by the first listener. */
  #events: TailEvent[] = [];
  #number = 0;
  #activeUntil = 0;
  #comments: NodeJS.Timeout | undefined;

  constructor(options: RequestTailOptions) {
    this.#options = options;
  }

  get isActive(): boolean {
    return this.#listeners.size > 0 || (this.#activeUntil > 0 && this.#lingers());
  }

  addAll(records: Iterable<RecordView>): void {
    const events: TailEvent[] = [];
    for (const record of records) if (record.pending !== true) events.push(this.#eventOf(record));
    if (events.length === 0) return;
    this.#events.push(...events);
    if (this.#events.length > 2 * MAX_EVENTS) this.#events = this.#events.slice(-MAX_EVENTS);
    for (const listener of this.#listeners) this.#tell(listener, events);
  }

  routes(): AdminRoute[] {
    return [
      {
        method: 'GET',
        path: '/admin/requests/tail',
        session: { role: 'viewer', data: 'filtered' },
        summary: 'Exchanges as they end, as server-sent events `request`, until the client leaves',
        query: {
          after: 'Number of the event after which to go on, of the last 512',
          status: '`failed`: only statuses of 400 and above',
          as: 'The view of `user:…` or `virtualaccount:…`: only what `gateway-data-access-config` lets them see',
        },
        otherTypes: ['text/event-stream'],
        handle: (request) => this.#open(request),
      },
    ];
  }

  close(): void {
    clearInterval(this.#comments);
    for (const { out } of this.#listeners) out.end();
  }

  #open({ query, viewer }: AdminRequest): OrError<AdminAnswer> {
    if (this.#listeners.size >= MAX_LISTENERS) {
      const detail = `${MAX_LISTENERS} clients watch already, and no more may.`;
      return new GatewayError('overloaded', { detail, retryAfterMs: 10_000 });
    }
    const status = query.get('status');
    if (status !== null && status !== 'failed') return invalid('status', 'It is `failed`, or not there.');
    const sees = seesOf(query, viewer, this.#options.access);
    if (sees instanceof GatewayError) return sees;
    const after = query.get('after');
    if (after !== null && !/^\d{1,15}$/.test(after)) return invalid('after', 'It is the number of an event.');
    const wants = (event: TailEvent): boolean =>
      (status === null || event.status >= 400) &&
      (sees === undefined ||
        sees({
          subject: event.subject,
          teams: event.teamsJson === undefined ? [] : JSON.parse(event.teamsJson),
          metadata: event.metadataJson === undefined ? {} : JSON.parse(event.metadataJson),
        }));
    return { status: 200, stream: { type: 'text/event-stream', open: (out) => this.#listen(out, wants, after) } };
  }

  #listen(out: AnswerStream, wants: Listener['wants'], after: string | null): () => void {
    const listener: Listener = { out, wants, skipped: 0 };
    this.#listeners.add(listener);
    this.#comments ??= setInterval(() => {
      for (const each of this.#listeners) each.out.write(': still there\n\n');
    }, COMMENT_MS).unref();
    out.write(`retry: 1000\n\n`);
    if (after !== null) {
      this.#tell(
        listener,
        this.#events.filter(({ number }) => number > Number(after)),
      );
    }
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size > 0) return;
      clearInterval(this.#comments);
      this.#comments = undefined;
      this.#activeUntil = performance.now() + LINGER_MS;
    };
  }

  #eventOf(record: RecordView): TailEvent {
    this.#number += 1;
    const { subject, teamsJson, metadataJson, status } = record;
    const text = `id: ${this.#number}\nevent: request\ndata: ${JSON.stringify(eventOf(record))}\n\n`;
    return { number: this.#number, text, subject, teamsJson, metadataJson, status };
  }

  /** In one write: each is a system call, and a packet that wakes a browser. */
  #tell(listener: Listener, events: readonly TailEvent[]): void {
    const wanted = events.filter((event) => listener.wants(event));
    if (wanted.length === 0) return;
    if (listener.out.isFull) {
      listener.skipped += wanted.length;
      return;
    }
    const skipped = listener.skipped > 0 ? `event: skipped\ndata: {"events":${listener.skipped}}\n\n` : '';
    listener.skipped = 0;
    listener.out.write(skipped + wanted.map(({ text }) => text).join(''));
  }

  #lingers(): boolean {
    if (performance.now() < this.#activeUntil) return true;
    this.#activeUntil = 0;
    this.#events = [];
    return false;
  }
}

/** The names are those of `GET /admin/requests`. */
function eventOf(record: RecordView): object {
  return {
    id: record.id,
    request_id: record.requestId,
    started_at: new Date(record.startedAt).toISOString(),
    subject: record.subject ?? null,
    key_id: record.keyId ?? null,
    model: record.model ?? null,
    target: record.target ?? null,
    method: record.method,
    path: record.path,
    stream: record.stream,
    status: record.status,
    outcome: record.outcome,
    error_code: record.errorCode ?? null,
    attempts: record.attempts,
    input_tokens: record.usage?.inputTokens ?? null,
    output_tokens: record.usage?.outputTokens ?? null,
    cost_nano_usd: record.costNanoUsd ?? null,
    duration_ms: record.durationMs,
    first_token_ms: record.firstTokenMs ?? null,
  };
}

function invalid(param: string, detail: string): GatewayError {
  return new GatewayError('invalid_parameter', { param, detail: `\`${param}\`: ${detail}` });
}
