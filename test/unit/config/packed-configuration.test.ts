import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Configuration } from '../../../src/config/configuration.ts';
import {
  ConfigurationPieces,
  type PackedConfiguration,
  packConfiguration,
} from '../../../src/config/packed-configuration.ts';
import { packKeys } from '../../../src/config/packed-keys.ts';
import { runToEnd } from '../../../src/core/steps.ts';

const keys = packKeys([]);
const rule = (id: string, limit = 1) => ({ id, match: { subjects: { in: [`user:${id}`] } }, limit, appliesPer: [] });
/** It holds what JSON has no words for, lists of lists, and an account larger than a piece may be. */
const written = (more: object = {}): Configuration =>
  ({
    keys,
    server: { threads: 1, gatewayId: undefined, limits: { maxBodyBytes: Number.POSITIVE_INFINITY } },
    accounts: [
      { type: 'provider-account/openai', name: 'small', models: [] },
      {
        type: 'provider-account/openai',
        name: 'wide ✓',
        integrations: Array.from({ length: 400 }, (_, at) => ({ name: `m-${at}`, cost: { value: { input: 0.001 } } })),
      },
    ],
    identities: { users: [{ email: 'é@example.com', tags: {} }], teams: [] },
    rateLimits: [[rule('a'), rule('b')], [rule('c')]],
    budgets: [],
    ...more,
  }) as unknown as Configuration;

const read = (packed: PackedConfiguration, pieces = new ConfigurationPieces()): Configuration =>
  runToEnd(pieces.unpack(packed));

describe('a configuration in pieces', () => {
  it('a configuration in pieces is read as it was, with what JSON has no words for', () => {
    const configuration = written();
    assert.deepEqual(read(packConfiguration(configuration)), configuration);
    assert.equal(read(packConfiguration(configuration)).keys, keys);
  });

  it('all that a reload does not change is the same object as before', () => {
    const pieces = new ConfigurationPieces();
    // A reload comes from another thread.
    const before = read(packConfiguration(structuredClone(written())), pieces);
    const changed = written({ rateLimits: [[rule('a'), rule('b', 2)], [rule('c')]] });
    const after = read(packConfiguration(structuredClone(changed)), pieces);
    assert.equal(after.server, before.server);
    assert.equal(after.accounts, before.accounts);
    assert.equal(after.identities, before.identities);
    assert.equal(after.rateLimits[0]?.[0], before.rateLimits[0]?.[0]);
    assert.equal(after.rateLimits[1], before.rateLimits[1]);
    assert.equal(after.rateLimits[0]?.[1]?.limit, 2);
  });

  it('an account that changed is read again only where it changed', () => {
    const pieces = new ConfigurationPieces();
    const before = read(packConfiguration(structuredClone(written())), pieces);
    const [small, wide] = written().accounts;
    const integrations = wide!['integrations'] as object[];
    const accounts = [small, { ...wide, integrations: [{ name: 'new' }, ...integrations] }];
    const after = read(packConfiguration(structuredClone(written({ accounts }))), pieces);
    assert.equal(after.accounts[0], before.accounts[0]);
    assert.equal(
      (after.accounts[1]!['integrations'] as object[])[1],
      (before.accounts[1]!['integrations'] as object[])[0],
    );
  });

  it('the same words under other keys or in another order are not taken for what was known', () => {
    const pieces = new ConfigurationPieces();
    read(packConfiguration(written({ server: { a: { x: 1 }, b: { y: 2 } } })), pieces);
    for (const server of [
      { a: { y: 2 }, b: { x: 1 } },
      { š: { x: 1 }, b: { y: 2 } },
    ]) {
      assert.deepEqual(read(packConfiguration(written({ server })), pieces).server, server);
    }
  });

  it('no piece of a large configuration takes a thread long to read', () => {
    const rules = Array.from({ length: 2_000 }, (_, at) => rule(`rule-${at}`));
    const packed = packConfiguration(written({ rateLimits: [rules] }));
    const lengths = Array.from(
      { length: packed.count },
      (_, at) => endOf(packed, at) - (at === 0 ? 0 : endOf(packed, at - 1)),
    );
    assert.ok(packed.count > 2_400);
    assert.ok(Math.max(...lengths) <= 16 * 1024, `${Math.max(...lengths)} bytes`);
  });

  it('a reload that is left off changes nothing of what is known', () => {
    const pieces = new ConfigurationPieces();
    const before = read(packConfiguration(written()), pieces);
    const left = pieces.unpack(packConfiguration(written({ accounts: [] })));
    left.next();
    left.return({} as Configuration);
    assert.equal(read(packConfiguration(written()), pieces).accounts[1], before.accounts[1]);
  });

  it('nothing stays known of a configuration that a later one took the place of', () => {
    const pieces = new ConfigurationPieces();
    const before = read(packConfiguration(written()), pieces);
    read(packConfiguration(written({ accounts: [] })), pieces);
    assert.notEqual(read(packConfiguration(written()), pieces).accounts[1], before.accounts[1]);
  });
});

function endOf({ bytes }: PackedConfiguration, at: number): number {
  return Buffer.from(bytes).readUInt32LE(at * 36 + 32);
}
