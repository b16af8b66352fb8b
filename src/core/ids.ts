import { randomBytes } from 'node:crypto';

const stem = `${Date.now().toString(36)}${randomBytes(6).toString('hex')}`;
let count = 0;

/** Unique over threads, processes and restarts; sorts by nothing; not a secret. About 24 characters. */
export function exchangeId(): string {
  count += 1;
  return `ex_${stem}${count.toString(36)}`;
}

const saneRequestId = /^[A-Za-z0-9._:/+=@-]{1,128}$/;

/** A client's request id is kept as a label if it is short and plain. */
export function isSaneRequestId(text: string): boolean {
  return saneRequestId.test(text);
}
