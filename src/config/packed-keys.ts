const DIGEST_BYTES = 32;
const OFFSET_BYTES = 4;

export function packKeys(keys: readonly ConfiguredKey[]): PackedKeys {
  const entries = keys
    .map((key) => ({ digest: Buffer.from(key.keySha256, 'hex'), json: Buffer.from(JSON.stringify(key)) }))
    .toSorted((a, b) => a.digest.compare(b.digest));
  const jsonBytes = entries.reduce((sum, { json }) => sum + json.length, 0);
  const bytes = new SharedArrayBuffer(entries.length * (DIGEST_BYTES + OFFSET_BYTES) + jsonBytes);
  const packed = Buffer.from(bytes);
  let end = 0;
  entries.forEach(({ digest, json }, at) => {
    packed.set(digest, at * DIGEST_BYTES);
    packed.set(json, entries.length * (DIGEST_BYTES + OFFSET_BYTES) + end);
    end += json.length;
    packed.writeUInt32LE(end, entries.length * DIGEST_BYTES + at * OFFSET_BYTES);
  });
  return { count: entries.length, bytes };
}

/** `digest`: SHA-256 of what was presented, 32 bytes. Whoever tries keys cannot steer where the search goes. */
export function findKey({ count, bytes }: PackedKeys, digest: Uint8Array): ConfiguredKey | undefined {
  const packed = Buffer.from(bytes);
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const order = packed.compare(digest, 0, DIGEST_BYTES, middle * DIGEST_BYTES, (middle + 1) * DIGEST_BYTES);
    if (order < 0) low = middle + 1;
    else high = middle;
  }
  const own = packed.subarray(low * DIGEST_BYTES, (low + 1) * DIGEST_BYTES);
  if (low === count || own.compare(digest) !== 0) return undefined;
  const start = low === 0 ? 0 : endOf(packed, count, low - 1);
  const texts = count * (DIGEST_BYTES + OFFSET_BYTES);
  return JSON.parse(packed.toString('utf8', texts + start, texts + endOf(packed, count, low)));
}

/** All of them: a thousand take some milliseconds. */
export function* everyKey({ count, bytes }: PackedKeys): Generator<ConfiguredKey> {
  const packed = Buffer.from(bytes);
  const texts = count * (DIGEST_BYTES + OFFSET_BYTES);
  for (let at = 0; at < count; at += 1) {
    const start = at === 0 ? 0 : endOf(packed, count, at - 1);
    yield JSON.parse(packed.toString('utf8', texts + start, texts + endOf(packed, count, at)));
  }
}

function endOf(packed: Buffer, count: number, at: number): number {
  return packed.readUInt32LE(count * DIGEST_BYTES + at * OFFSET_BYTES);
}

/**
 * The keys of a configuration as all threads share them (packed-keys.ts): nothing is copied when they are handed on, and a
 * key is read when it is first presented. To deserialize 10,000 keys and index them takes a thread 10 to 18 ms.
 * Layout: sorted SHA-256 digests, 32 bytes each · where each key's JSON ends, uint32 · the JSON, UTF-8.
 */
export interface PackedKeys {
  readonly count: number;
  readonly bytes: SharedArrayBuffer;
}

export interface ConfiguredKey {
  name: string;
  /** Hex SHA-256 of the key; a literal key is hashed by load and forgotten. */
  keySha256: string;
  subject: string;
  teams: string[];
  /** Model patterns with `*`; absent: all models. */
  models?: string[];
  metadata: Record<string, string>;
}
