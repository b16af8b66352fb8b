import assert from 'node:assert/strict';
import { copyFile } from 'node:fs/promises';
import { afterEach, beforeEach, it } from 'node:test';
import { KeyRing } from '../../src/authentication/authenticate.ts';
import { packKeys } from '../../src/config/packed-keys.ts';
import { GatewayError } from '../../src/core/errors.ts';
import { Identity } from '../../src/identity/identity.ts';
import type { Database, DatabasePlace } from '../../src/store/database.ts';
import type { IdentityMessage } from '../../src/threads/identity-messages.ts';
import { directHttp } from '../support/direct-http.ts';
import { forEachEngine } from '../support/engines.ts';
import { eventually } from '../support/gateway.ts';

const nobody = { users: [], teams: [], virtualAccounts: [], identityProviders: [], grants: [] };
const log = { debug() {}, info() {}, warn() {}, error: (fields: object) => assert.fail(JSON.stringify(fields)) };
const wish = (tokenType: 'jwt' | 'opaque') => ({
  subject: 'virtualaccount:ci',
  name: undefined,
  teams: [],
  models: undefined,
  metadata: {},
  expiresAt: undefined,
  tokenType,
});

/** Relay threads as far as keys are concerned: each is born with the state of now, hears what is said, and answers. */
class Threads {
  readonly rings: KeyRing[] = [];
  readonly #identity: Identity;

  constructor(identity: Identity, count: number) {
    this.#identity = identity;
    for (let thread = 0; thread < count; thread += 1) this.restart(thread);
    identity.begin((message) => this.#hear(message));
  }

  restart(thread: number): void {
    this.#identity.threadDied(thread);
    const { keys, issuerKeys } = structuredClone(this.#identity.stateFor(thread));
    this.rings[thread] = new KeyRing({ configured: packKeys([]), issued: keys, identities: nobody, issuerKeys });
  }

  accept(token: string): boolean[] {
    return this.rings.map((ring) => !(ring.lookup(token) instanceof GatewayError));
  }

  #hear(message: IdentityMessage): void {
    if (message.type !== 'keys') return;
    const { news, number } = structuredClone(message);
    for (const [thread, ring] of this.rings.entries()) {
      setImmediate(() => {
        ring.setIssued(news);
        this.#identity.hear({ type: 'keys-known', thread, number });
      });
    }
  }
}

forEachEngine('identity', (engine) => {
  let place: DatabasePlace;
  const open: Identity[] = [];
  async function gateway(database: Database, dataDir = place.dataDir): Promise<Identity> {
    const identity = await Identity.open({ database, dataDir, threads: 2, identities: nobody, http: directHttp, log });
    open.push(identity);
    return identity;
  }
  async function issue(identity: Identity, type: 'jwt' | 'opaque') {
    const issued = await identity.issue(wish(type), new Date());
    assert.ok(!(issued instanceof GatewayError));
    return issued;
  }
  beforeEach(async () => {
    place = await engine.newPlace();
  });
  afterEach(() => {
    for (const identity of open.splice(0)) identity.close();
  });

  for (const type of ['jwt', 'opaque'] as const) {
    it(`an issued key (${type}) is answered when every thread knows it, and a thread that is born later knows it too`, async () => {
      const identity = await gateway(await engine.open(place));
      const threads = new Threads(identity, 2);
      const { token, key } = await issue(identity, type);
      assert.deepEqual(threads.accept(token), [true, true]);
      threads.restart(1);
      assert.deepEqual(threads.accept(token), [true, true]);
      await identity.revoke(key.id);
      assert.deepEqual(threads.accept(token), [false, false]);
      threads.restart(0);
      assert.deepEqual(threads.accept(token), [false, false]);
      assert.equal(await identity.revoke('key_nobody'), undefined);
    });
  }

  it('a gateway knows at its start which keys were made, rotated and revoked before, and keeps its signing key', async () => {
    const before = await gateway(await engine.open(place));
    new Threads(before, 2);
    const [kept, opaque, gone] = [
      await issue(before, 'jwt'),
      await issue(before, 'opaque'),
      await issue(before, 'opaque'),
    ];
    await before.revoke(gone.key.id);
    const rotated = await before.rotate(kept.key.id, 60_000);
    assert.ok(!(rotated instanceof GatewayError));
    before.close();
    const threads = new Threads(await gateway(await engine.open(place)), 2);
    const accepted = [kept, opaque, gone, rotated].map(({ token }) => threads.accept(token)[0]);
    assert.deepEqual(accepted, [true, true, false, true]);
  });

  it('a gateway accepts what another one on the same database signs, until that one replaces its key', async () => {
    const [one, two] = [await engine.newPlace(), await engine.newPlace()];
    const mine = await gateway(await engine.open(place));
    const threads = new Threads(mine, 2);
    const database = await engine.open(place);
    const other = await gateway(database, one.dataDir);
    new Threads(other, 2);
    const { token } = await issue(other, 'jwt');
    const heard = async (expected: boolean) => {
      await eventually('it is heard of', () => threads.accept(token).every((each) => each === expected));
      return threads.accept(token);
    };
    assert.deepEqual(await heard(true), [true, true]);
    // The same gateway, whose signing key was moved away: its id alone is still there.
    await copyFile(`${one.dataDir}/gateway-id`, `${two.dataDir}/gateway-id`);
    await gateway(database, two.dataDir);
    assert.deepEqual(await heard(false), [false, false]);
  });
});
