import { hash } from 'node:crypto';
import { deserialize, serialize } from 'node:v8';
import type { Steps } from '../core/steps.ts';
import type { Configuration } from './configuration.ts';
import type { PackedKeys } from './packed-keys.ts';

/**
 * A configuration on its way to relay threads, in pieces in memory that all of them share. A thread reads one piece at a
 * time, so that no request waits for all of them, and none whose bytes it knows: what did not change is the same object as
 * before, and what was made of it is found by that.
 * Layout: for each piece its SHA-256, 32 bytes, and where it ends, uint32 · the pieces, as V8 serializes them.
 */
export interface PackedConfiguration {
  readonly keys: PackedKeys;
  /** How pieces make up the configuration, without its keys. */
  readonly shape: Shape;
  readonly count: number;
  readonly bytes: SharedArrayBuffer;
}

/** The number of a piece, or what holds further ones, with a digest of all that lies in it. */
type Shape =
  | number
  | { readonly digest: string; readonly items: readonly Shape[] }
  | { readonly digest: string; readonly values: Readonly<Record<string, Shape>> };

/** The configuration, its server and its identities are always cut by their keys, and lists of objects in them by their items. */
const CUT_OBJECTS_DEPTH = 1;
/** A piece that is larger is cut further where it can be: to read so much takes a thread a third of a millisecond. */
const MAX_PIECE_BYTES = 16 * 1024;
const DIGEST_BYTES = 32;
const HEAD_BYTES = DIGEST_BYTES + 4;

/** One that has crossed a thread and the same that has not differ in their bytes: lists are serialized in another way. */
export function packConfiguration({ keys, ...configuration }: Configuration): PackedConfiguration {
  const pieces = new Pieces();
  const shape = pieces.cut(configuration, 0);
  return { keys, shape, count: pieces.count, bytes: pieces.pack() };
}

class Pieces {
  readonly #pieces: Buffer[] = [];
  readonly #digests: Buffer[] = [];

  get count(): number {
    return this.#pieces.length;
  }

  cut(value: unknown, depth: number): Shape {
    if (isList(value)) return this.#items(value, depth);
    if (depth <= CUT_OBJECTS_DEPTH && isRecord(value)) return this.#values(value, depth);
    const piece = serialize(value);
    if (piece.length > MAX_PIECE_BYTES && isRecord(value)) return this.#values(value, depth);
    this.#pieces.push(piece);
    this.#digests.push(hash('sha256', piece, 'buffer'));
    return this.count - 1;
  }

  pack(): SharedArrayBuffer {
    const size = this.#pieces.reduce((sum, { length }) => sum + length, 0);
    const bytes = new SharedArrayBuffer(this.count * HEAD_BYTES + size);
    const packed = Buffer.from(bytes);
    let end = 0;
    this.#pieces.forEach((piece, at) => {
      packed.set(this.#digests[at]!, at * HEAD_BYTES);
      packed.set(piece, this.count * HEAD_BYTES + end);
      end += piece.length;
      packed.writeUInt32LE(end, at * HEAD_BYTES + DIGEST_BYTES);
    });
    return bytes;
  }

  #items(value: readonly object[], depth: number): Shape {
    const items = value.map((item) => this.cut(item, depth + 1));
    return { digest: this.#digestOf('items', items), items };
  }

  #values(value: object, depth: number): Shape {
    const entries = Object.entries(value).map(([key, each]) => [key, this.cut(each, depth + 1)] as const);
    const keys = JSON.stringify(entries.map(([key]) => key));
    const shapes = entries.map(([, shape]) => shape);
    return { digest: this.#digestOf(keys, shapes), values: Object.fromEntries(entries) };
  }

  #digestOf(kind: string, shapes: readonly Shape[]): string {
    const digests = shapes.map((shape) =>
      typeof shape === 'number' ? this.#digests[shape]!.toString('latin1') : shape.digest,
    );
    return hash('sha256', [kind, ...digests].join(' '), 'base64');
  }
}

/** What a thread has read of the configuration that it has. */
export class ConfigurationPieces {
  /** By the digest: pieces, and what they make up. All are of one configuration, so it grows with that alone. */
  #known = new Map<string, unknown>();

  /** A step for each piece. Work that is left off leaves what is known as it was. */
  *unpack({ keys, shape, count, bytes }: PackedConfiguration): Steps<Configuration> {
    const packed = Buffer.from(bytes);
    const known = new Map<string, unknown>();
    const pieces: unknown[] = [];
    let start = count * HEAD_BYTES;
    for (let at = 0; at < count; at += 1) {
      const digest = packed.toString('latin1', at * HEAD_BYTES, at * HEAD_BYTES + DIGEST_BYTES);
      const end = count * HEAD_BYTES + packed.readUInt32LE(at * HEAD_BYTES + DIGEST_BYTES);
      const read = (): unknown => deserialize(packed.subarray(start, end));
      pieces.push(take(digest, this.#known, known, read));
      start = end;
      yield;
    }
    const configuration = yield* this.#assemble(shape, pieces, known);
    this.#known = known;
    // What packConfiguration took apart.
    return { ...(configuration as Omit<Configuration, 'keys'>), keys };
  }

  *#assemble(shape: Shape, pieces: readonly unknown[], known: Map<string, unknown>): Steps<unknown> {
    if (typeof shape === 'number') return pieces[shape];
    let made: unknown;
    if ('items' in shape) {
      const items: unknown[] = [];
      for (const item of shape.items) {
        items.push(typeof item === 'number' ? pieces[item] : yield* this.#assemble(item, pieces, known));
      }
      made = items;
    } else {
      const entries: [string, unknown][] = [];
      for (const [key, each] of Object.entries(shape.values)) {
        entries.push([key, yield* this.#assemble(each, pieces, known)]);
      }
      made = Object.fromEntries(entries);
    }
    yield;
    return take(shape.digest, this.#known, known, () => made);
  }
}

function take(digest: string, before: Map<string, unknown>, now: Map<string, unknown>, make: () => unknown): unknown {
  const value = before.has(digest) ? before.get(digest) : make();
  now.set(digest, value);
  return value;
}

function isList(value: unknown): value is readonly object[] {
  return Array.isArray(value) && value.length > 0 && value.every((item) => typeof item === 'object' && item !== null);
}

/** Object literals alone: what a map or a pattern holds, its keys do not tell. */
function isRecord(value: unknown): value is object {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}
