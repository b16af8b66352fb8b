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

/** A client's request id is kept as a label if it is short and plain. */
export function isSaneRequestId(text: string): boolean {
  return saneRequestId.test(text);
}
