import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import { type JsonObject, parseObject } from '../../codec/json-value.ts';

const IV_BYTES = 12;
const TAG_BYTES = 16;

/** Seals what the database must not give away: AES-256-GCM, with a key that only the thread of MCP makes. */
export class Vault {
  readonly #key: Buffer;

  constructor(secret: string) {
    this.#key = Buffer.from(hkdfSync('sha256', secret, '', 'sluice mcp vault', 32));
  }

  /** `place`: what it belongs to; elsewhere it cannot be opened, so rows that are exchanged are of no use. */
  close(place: string, value: object): string {
    const iv = randomBytes(IV_BYTES);
    const cipher = createCipheriv('aes-256-gcm', this.#key, iv).setAAD(Buffer.from(place));
    const text = Buffer.concat([cipher.update(JSON.stringify(value)), cipher.final()]);
    return Buffer.concat([iv, cipher.getAuthTag(), text]).toString('base64url');
  }

  /** Undefined: it was sealed for another place, with another secret, or changed. */
  open(place: string, sealed: string): JsonObject | undefined {
    const bytes = Buffer.from(sealed, 'base64url');
    if (bytes.length < IV_BYTES + TAG_BYTES) return undefined;
    const tag = bytes.subarray(IV_BYTES, IV_BYTES + TAG_BYTES);
    try {
      const decipher = createDecipheriv('aes-256-gcm', this.#key, bytes.subarray(0, IV_BYTES))
        .setAAD(Buffer.from(place))
        .setAuthTag(tag);
      const text = Buffer.concat([decipher.update(bytes.subarray(IV_BYTES + TAG_BYTES)), decipher.final()]);
      return parseObject(text.toString());
    } catch {
      // The caller decides what a value that cannot be opened means.
      return undefined;
    }
  }
}
