import { parentPort } from 'node:worker_threads';
import type { Log } from '../core/log.ts';
import { OtelExport } from '../otel/otel-export.ts';
import { packageVersion } from '../store/package-version.ts';
import { RecordFrame } from '../telemetry/record-frame.ts';
import type { FromOtelThread, OtelConfiguration, OtelCounts, ToOtelThread } from '../threads/otel-messages.ts';
import { sideRequests } from '../upstream/side-requests.ts';

/*
 * The thread that makes spans of records and sends them, with the metrics, to collectors. Only a gateway with a
 * `gateway-otel-config` has it. A collector that is slow or away costs this thread's queue, and nobody else anything.
 */

/** How long what was made may wait for more of its kind. */
const FLUSH_MS = 1000;
/** Exporters of an earlier configuration end what they have. */
const RETIRE_MS = 10_000;

const port = parentPort!;
const send = (message: FromOtelThread): void => port.postMessage(message);
const tell = (level: 'debug' | 'info' | 'warn' | 'error') => (fields: object, message: string) =>
  send({ type: 'log', level, fields: { ...fields }, message });
const log: Log = { debug: tell('debug'), info: tell('info'), warn: tell('warn'), error: tell('error') };
process.on('uncaughtException', (error) => log.error({ error }, 'uncaught in the thread of OTLP'));
process.on('unhandledRejection', (error) => log.error({ error }, 'unhandled in the thread of OTLP'));

const version = packageVersion();
let configuration: OtelConfiguration | undefined;
let current: OtelExport | undefined;
/** The counts of exporters that are closed. */
let before: OtelCounts = { accepted: 0, unsampled: 0, exported: 0, refused: 0, failed: 0, 'queue-full': 0 };
let taken = 0;
let told = -1;
const http = sideRequests(() => configuration!.server.upstream);

port.on('message', (message: ToOtelThread) => void hear(message));
setInterval(() => {
  current?.flush();
  const counts = counted();
  const sum = taken + Object.values(counts).reduce((total, count) => total + count, 0);
  if (sum === told) return;
  told = sum;
  send({ type: 'state', taken, counts });
}, FLUSH_MS).unref();

async function hear(message: ToOtelThread): Promise<void> {
  switch (message.type) {
    case 'configure':
      await retire();
      ({ configuration } = message);
      current = new OtelExport({ configuration, version, http, log });
      return;
    case 'records':
      taken += 1;
      for (const frame of message.frames) for (const record of new RecordFrame(frame)) current?.add(record);
      return;
    case 'metrics':
      current?.addMetrics(message.text);
      return;
    case 'close': {
      const last = current;
      await last?.close(message.withinMs);
      send({ type: 'closed', counts: counted() });
      port.close();
    }
  }
}

/** What follows goes to the next; what is under way ends by itself and is counted when it did. */
async function retire(): Promise<void> {
  const old = current;
  if (old === undefined) return;
  current = undefined;
  void old.close(RETIRE_MS).then(() => {
    before = added(before, old.counts());
  });
}

function counted(): OtelCounts {
  return current === undefined ? before : added(before, current.counts());
}

function added(one: OtelCounts, other: OtelCounts): OtelCounts {
  return {
    accepted: one.accepted + other.accepted,
    unsampled: one.unsampled + other.unsampled,
    exported: one.exported + other.exported,
    refused: one.refused + other.refused,
    failed: one.failed + other.failed,
    'queue-full': one['queue-full'] + other['queue-full'],
  };
}
