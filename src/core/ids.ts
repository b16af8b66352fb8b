import { randomBytes } from 'node:crypto';

const stem = `${Date.now().toString(36)}${randomBytes(6).toString('hex')}`;
/** Six digits from the start, for two thousand million exchanges: ids of a thread are in order as text. */
let count = 36 ** 5;

/**
 * Unique over threads, processes and restarts; not a secret. 29 characters. Those of one thread ascend, so that an index of
 * them grows at its end: elsewhere each row would split pages (bench: ledger-cost).
 */
export function exchangeId(): string {
  count += 1;
  return `ex_${stem}${count.toString(36)}`;
}

const saneRequestId = /^[A-Za-z0-9._:/+=@-]{1,128}$/;

/** A client's request id where it may be a label: short and plain. Undefined: the client sent no such id. */
export function requestLabel(sent: string | undefined): string | undefined {
  return sent !== undefined && saneRequestId.test(sent) ? sent : undefined;
}
