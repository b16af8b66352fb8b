import assert from 'node:assert/strict';
import { after, beforeEach, describe, it, mock } from 'node:test';
import type { IdentityProvider } from '../../../src/config/identities/identities.ts';
import type { FetchedKeySet } from '../../../src/identity/fetch-key-set.ts';
import { IssuerKeys } from '../../../src/identity/issuer-keys.ts';
import type { IssuerKey, IssuerKeySet } from '../../../src/threads/identity-messages.ts';

const MINUTE = 60_000;
const provider = (name: string, jwksUri = `https://${name}.example/keys`): IdentityProvider => ({
  name,
  issuer: `https://${name}.example/`,
  jwksUri,
  audiences: [],
  algorithms: ['RS256'],
  subjectClaim: 'sub',
  subjectKind: 'user',
  authorizedSubjects: [],
});
const key = (kid: string): IssuerKey => ({ kid, publicKeyPem: `pem of ${kid}`, algorithms: ['RS256'] });

/** Answers that the test gives, one fetch after the other. */
class Asked {
  readonly uris: string[] = [];
  readonly told: IssuerKeySet[] = [];
  readonly logged: string[] = [];
  #answer: (fetched: FetchedKeySet) => void = () => assert.fail('nobody asks');
  readonly keys = new IssuerKeys({
    http: () => assert.fail(),
    log: {
      debug: () => {},
      info: () => {},
      warn: (_fields, message) => this.logged.push(message),
      error: () => assert.fail(),
    },
    tell: (set) => this.told.push(set),
    fetchKeys: (uri) => {
      this.uris.push(uri);
      return new Promise((resolve) => {
        this.#answer = resolve;
      });
    },
  });

  async answer(fetched: FetchedKeySet): Promise<void> {
    this.#answer(fetched);
    await settled();
  }
}
/** Lets what waits only for promises go on. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
}
async function tick(ms: number): Promise<void> {
  mock.timers.tick(ms);
  await settled();
}

describe('the keys of an issuer', () => {
  let asked: Asked;
  let now = 0;
  beforeEach(() => {
    mock.restoreAll();
    mock.timers.reset();
    mock.timers.enable({ apis: ['setTimeout', 'Date'] });
    mock.method(performance, 'now', () => now);
    asked = new Asked();
  });
  after(() => {
    mock.timers.reset();
    mock.restoreAll();
  });

  it('an issuer’s keys are fetched at once, told when they came, and fetched again before they are too old', async () => {
    asked.keys.setProviders([provider('a')]);
    assert.deepEqual(asked.uris, ['https://a.example/keys']);
    await asked.answer({ keys: [key('1')], maxAgeMs: 10 * MINUTE });
    assert.deepEqual(asked.told, [{ provider: 'a', jwksUri: 'https://a.example/keys', keys: [key('1')] }]);
    await tick(8 * MINUTE - 1);
    assert.equal(asked.uris.length, 1);
    await tick(1);
    assert.equal(asked.uris.length, 2);
    await asked.answer({ keys: [key('1')], maxAgeMs: 10 * MINUTE });
    assert.equal(asked.told.length, 1, 'what is as it was need not be told');
    await tick(8 * MINUTE);
    await asked.answer({ keys: [key('2')], maxAgeMs: 10 * MINUTE });
    assert.deepEqual(asked.keys.sets()[0]?.keys, [key('2')]);
    asked.keys.stop();
  });

  it('an issuer’s keys are kept while it is away, and it is asked again ever more rarely, logged once and counted', async () => {
    asked.keys.setProviders([provider('a')]);
    await asked.answer({ keys: [key('1')], maxAgeMs: 5 * MINUTE });
    await tick(4 * MINUTE);
    for (const waitMs of [1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]) {
      await asked.answer({ fault: 'away' });
      const before = asked.uris.length;
      await tick(waitMs - 1);
      assert.equal(asked.uris.length, before);
      await tick(1);
      assert.equal(asked.uris.length, before + 1);
    }
    assert.deepEqual(asked.keys.sets()[0]?.keys, [key('1')]);
    assert.deepEqual([asked.logged.length, asked.keys.states()[0]?.failures], [1, 8]);
    asked.keys.stop();
  });

  it('a reload asks an issuer that is away no sooner than it would be asked again', async () => {
    asked.keys.setProviders([provider('a')]);
    await asked.answer({ fault: 'away' });
    asked.keys.setProviders([provider('a')]);
    assert.equal(asked.uris.length, 1);
    await tick(1000);
    assert.equal(asked.uris.length, 2);
    asked.keys.stop();
  });

  it('an issuer’s keys are fetched once for all who miss one, and not again for half a minute', async () => {
    asked.keys.setProviders([provider('a')]);
    await asked.answer({ keys: [key('1')], maxAgeMs: 60 * MINUTE });
    now += 100_000;
    for (let index = 0; index < 3; index += 1) asked.keys.unknownKey('a');
    await settled();
    assert.equal(asked.uris.length, 2, 'one fetch under way');
    await asked.answer({ keys: [key('1'), key('2')], maxAgeMs: 60 * MINUTE });
    assert.deepEqual(
      asked.told.at(-1)?.keys.map((each) => each.kid),
      ['1', '2'],
    );
    const told = asked.told.length;
    now += 29_999;
    asked.keys.unknownKey('a');
    await settled();
    assert.deepEqual([asked.uris.length, asked.told.length], [2, told + 1]);
    now += 1;
    asked.keys.unknownKey('a');
    await settled();
    assert.equal(asked.uris.length, 3);
    asked.keys.unknownKey('nobody');
    asked.keys.stop();
  });

  it('an issuer’s keys stay over a reload that leaves it as it was, and are dropped when it moves or goes', async () => {
    asked.keys.setProviders([provider('a')]);
    await asked.answer({ keys: [key('1')], maxAgeMs: 60 * MINUTE });
    asked.keys.setProviders([{ ...provider('a'), audiences: ['x'] }]);
    assert.deepEqual([asked.uris.length, asked.keys.sets()[0]?.keys.length], [1, 1]);
    asked.keys.setProviders([provider('a', 'https://new.example/keys')]);
    assert.deepEqual([asked.uris.at(-1), asked.keys.sets()[0]?.keys], ['https://new.example/keys', []]);
    asked.keys.setProviders([]);
    await asked.answer({ keys: [key('2')], maxAgeMs: MINUTE });
    assert.deepEqual(asked.keys.sets(), []);
    assert.equal(asked.told.length, 1, 'nothing is told of one that is gone');
  });
});
