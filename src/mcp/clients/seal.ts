import { createHmac, timingSafeEqual } from 'node:crypto';
import { type JsonObject, parseObject } from '../../codec/json-value.ts';

/** What goes to a client and comes back, so that no thread and no gateway need keep it. Signed, not secret. */
export class Seal {
  readonly #key: string;

  constructor(key: string) {
    this.#key = key;
  }

  /** `purpose`: what is sealed for one is of no use for another. */
  close(purpose: string, value: JsonObject): string {
    const payload = Buffer.from(JSON.stringify(value)).toString('base64url');
    return `${payload}.${this.#sign(purpose, payload)}`;
  }

  /** Undefined: it is none of ours, or was changed. */
  open(purpose: string, text: string): JsonObject | undefined {
    const dot = text.lastIndexOf('.');
    const payload = text.slice(0, Math.max(0, dot));
    const [given, right] = [Buffer.from(text.slice(dot + 1)), Buffer.from(this.#sign(purpose, payload))];
    if (dot <= 0 || given.length !== right.length || !timingSafeEqual(given, right)) return undefined;
    return parseObject(Buffer.from(payload, 'base64url').toString());
  }

  #sign(purpose: string, payload: string): string {
    return createHmac('sha256', this.#key).update(`${purpose}\0${payload}`).digest('base64url');
  }
}
