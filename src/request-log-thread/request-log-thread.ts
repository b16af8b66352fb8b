import { setTimeout as delay } from 'node:timers/promises';
import { parentPort } from 'node:worker_threads';
import type { Log } from '../core/log.ts';
import { type MutableCounts, RequestLog } from '../request-log/request-log.ts';
import type { RequestBodiesRow } from '../store/request-bodies.ts';
import type {
  CapturedMessage,
  FromRequestLogThread,
  RequestLogConfiguration,
  ToRequestLogThread,
} from '../threads/request-log-messages.ts';
import { sideRequests } from '../upstream/side-requests.ts';

/*
 * The thread that blacks out what bodies may not show, packs them for the store, and sends them to webhooks. Only a gateway
 * that keeps bodies has it. Patterns and receivers that are slow cost this thread's queue, and nobody else anything.
 */

const COUNTS_MS = 500;
/** The time after which a configuration that is not in force any more is dropped. */
const RETIRE_MS = 10_000;
const KEEP_TRIES = 5;
const FIRST_PAUSE_MS = 500;

const port = parentPort!;
const send = (message: FromRequestLogThread, transfer: ArrayBuffer[] = []): void => port.postMessage(message, transfer);
const tell = (level: 'debug' | 'info' | 'warn' | 'error') => (fields: object, message: string) =>
  send({ type: 'log', level, fields: { ...fields }, message });
const log: Log = { debug: tell('debug'), info: tell('info'), warn: tell('warn'), error: tell('error') };
process.on('uncaughtException', (error) => log.error({ error }, 'uncaught in the thread of the request log'));
process.on('unhandledRejection', (error) => log.error({ error }, 'unhandled in the thread of the request log'));

const counts: MutableCounts = { kept: 0, failed: 0, delivered: 0, undelivered: 0, 'hooks-dropped': 0 };
let told = '';
let configuration: RequestLogConfiguration | undefined;
let current: RequestLog | undefined;
let number = 0;
const asked = new Map<number, (isKept: boolean) => void>();
const underway = new Set<Promise<void>>();
const http = sideRequests(() => configuration!.server.upstream);

port.on('message', (message: ToRequestLogThread) => void hear(message));
setInterval(() => {
  const now = JSON.stringify(counts);
  if (now !== told) send({ type: 'counts', counts: { ...counts } });
  told = now;
}, COUNTS_MS).unref();

async function hear(message: ToRequestLogThread): Promise<void> {
  switch (message.type) {
    case 'configure':
      void current?.close(RETIRE_MS);
      ({ configuration } = message);
      current = new RequestLog({ configuration, http, log, counts });
      return;
    case 'request-log': {
      const work = keep(message).finally(() => underway.delete(work));
      underway.add(work);
      return;
    }
    case 'kept':
      asked.get(message.number)?.(message.isKept);
      asked.delete(message.number);
      return;
    case 'close': {
      const until = delay(message.withinMs, undefined, { ref: false });
      await Promise.race([Promise.all(underway), until]);
      await current?.close(message.withinMs);
      send({ type: 'closed', counts: { ...counts } });
      port.close();
    }
  }
}

/** Only then does the relay thread hear that they wait no more: so its bound is one of all that is on the way. */
async function keep({ exchanges, thread, bytes }: CapturedMessage): Promise<void> {
  const rows: RequestBodiesRow[] = [];
  for (const exchange of exchanges) {
    try {
      if (current !== undefined) rows.push(current.take(exchange));
    } catch (error) {
      counts.failed += 1;
      log.error({ error, exchange: exchange.id }, 'bodies of an exchange could not be kept');
    }
  }
  if (rows.length > 0) {
    if (await areKept(rows)) counts.kept += rows.length;
    else counts.failed += rows.length;
  }
  send({ type: 'taken', thread, bytes });
}

async function areKept(rows: readonly RequestBodiesRow[]): Promise<boolean> {
  for (let tries = 1; ; tries += 1) {
    number += 1;
    const mine = number;
    const isKept = await new Promise<boolean>((resolve) => {
      asked.set(mine, resolve);
      send({ type: 'keep', number: mine, rows });
    });
    if (isKept || tries === KEEP_TRIES) return isKept;
    await delay(FIRST_PAUSE_MS * 2 ** (tries - 1), undefined, { ref: false });
  }
}
