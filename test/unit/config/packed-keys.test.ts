import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { describe, it } from 'node:test';
import { type ConfiguredKey, findKey, packKeys } from '../../../src/config/packed-keys.ts';

const keyOf = (text: string): ConfiguredKey => ({
  name: `Schlüssel ${text}`,
  keySha256: hash('sha256', text),
  subject: `user:${text}@example.com`,
  teams: ['a'],
  models: ['demo/*'],
  metadata: { unit: '✓' },
});
const digestOf = (text: string): Buffer => Buffer.from(hash('sha256', text), 'hex');

describe('packed keys', () => {
  for (const count of [0, 1, 2, 3, 1000]) {
    it(`each of ${count} packed keys is found as it was configured, and no other`, () => {
      const keys = Array.from({ length: count }, (_, at) => keyOf(`key-${at}`));
      const packed = packKeys(keys);
      for (const [at, key] of keys.entries()) assert.deepEqual(findKey(packed, digestOf(`key-${at}`)), key);
      for (let at = 0; at < 100; at += 1) assert.equal(findKey(packed, digestOf(`other-${at}`)), undefined);
      for (const edge of [0, 255]) assert.equal(findKey(packed, Buffer.alloc(32, edge)), undefined);
    });
  }

  it('packed keys reach another thread without being copied', () => {
    const packed = packKeys([keyOf('key')]);
    assert.equal(packed.bytes.constructor, SharedArrayBuffer);
  });
});
