import assert from 'node:assert/strict';
import { after, beforeEach, describe, it, mock } from 'node:test';
import type { Configuration } from '../../../src/config/configuration.ts';
import type { AccountToken } from '../../../src/core/account-token.ts';
import { AccountTokens } from '../../../src/main-thread/account-tokens.ts';
import type { TokenSource } from '../../../src/providers/credential.ts';
import { MetricRegistry } from '../../../src/telemetry/metric-registry.ts';

const MINUTE = 60_000;

/** A source whose answers the test gives, one fetch after the other. */
class ScriptedSource implements TokenSource {
  readonly id: string;
  readonly account: string;
  asked = 0;
  signal: AbortSignal | undefined;
  #give: (token: Pick<AccountToken, 'values' | 'expiresAtMs'>) => void = () => assert.fail('nobody asks');
  #refuse: (error: unknown) => void = () => assert.fail('nobody asks');

  constructor(account: string, id = `${account} 1`) {
    this.account = account;
    this.id = id;
  }

  fetch(signal: AbortSignal): Promise<Pick<AccountToken, 'values' | 'expiresAtMs'>> {
    this.asked += 1;
    this.signal = signal;
    return new Promise((resolve, reject) => {
      this.#give = resolve;
      this.#refuse = reject;
    });
  }

  async give(token: string, livesMs: number): Promise<void> {
    this.#give({ values: { token }, expiresAtMs: Date.now() + livesMs });
    await settled();
  }

  async fail(reason: string): Promise<void> {
    this.#refuse(new Error(reason));
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

describe('the token of an account', () => {
  const configuration = {} as Configuration;
  let source: ScriptedSource;
  let sources: TokenSource[];
  let told: string[][];
  let logged: [level: string, message: string, fields: object][];
  let tokens: AccountTokens;

  beforeEach(() => {
    mock.timers.reset();
    mock.timers.enable({ apis: ['setTimeout', 'Date'] });
    source = new ScriptedSource('main');
    sources = [source];
    told = [];
    logged = [];
    const log = (level: string) => (fields: object, message: string) => void logged.push([level, message, fields]);
    tokens = new AccountTokens({
      http: () => assert.fail(),
      sources: () => sources,
      tell: (all) => told.push(all.map(({ values }) => values['token']!)),
      log: { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') },
    });
    tokens.reconfigure(configuration);
  });
  after(() => mock.timers.reset());

  it('an account token is fetched at once, told to the threads, and fetched again after four fifths of its life', async () => {
    assert.equal(source.asked, 1);
    assert.deepEqual(tokens.tokens(), []);
    await source.give('one', 10 * MINUTE);
    assert.deepEqual(told, [['one']]);
    await tick(8 * MINUTE - 1);
    assert.equal(source.asked, 1);
    await tick(1);
    assert.equal(source.asked, 2);
    await source.give('two', 10 * MINUTE);
    assert.deepEqual(told, [['one'], ['two']]);
    assert.deepEqual(logged, []);
  });

  it('an account token is fetched once at a time, however often the configuration is loaded meanwhile', async () => {
    for (let reload = 0; reload < 5; reload += 1) tokens.reconfigure(configuration);
    assert.equal(source.asked, 1);
    await source.give('one', 10 * MINUTE);
    await tick(8 * MINUTE);
    tokens.reconfigure(configuration);
    await tick(MINUTE);
    assert.equal(source.asked, 2);
  });

  it('an account token stays in use while it cannot be renewed, with retries ever more rarely, and its end is logged', async () => {
    await source.give('one', 10 * MINUTE);
    await tick(8 * MINUTE);
    const asked: number[] = [];
    for (const waitMs of [1_000, 2_000, 4_000, 8_000, 16_000, 32_000]) {
      await source.fail('the token endpoint answered 500');
      assert.equal(tokens.tokens()[0]?.values['token'], 'one');
      await tick(waitMs);
      asked.push(source.asked);
    }
    assert.deepEqual(asked, [3, 4, 5, 6, 7, 8]);
    assert.deepEqual(
      logged.map(([level]) => level),
      ['warn', 'debug', 'debug', 'debug', 'debug', 'debug'],
    );
    assert.deepEqual(logged[0]?.[2], { account: 'main', reason: 'the token endpoint answered 500', secondsLeft: 120 });
    assert.deepEqual(told, [['one']], 'nothing new is told');
    await source.fail('away');
    await tick(57_000);
    await source.fail('away');
    assert.equal(logged.at(-1)?.[0], 'error', 'it has ended');
    await tick(MINUTE);
    await source.fail('away');
    assert.equal(logged.at(-1)?.[0], 'debug', 'that is said once');
    await tick(MINUTE);
    await source.give('two', 10 * MINUTE);
    assert.equal(logged.at(-1)?.[0], 'info');
    assert.deepEqual(told, [['one'], ['two']]);
  });

  it('an account token that was never given or has ended is missing: an error in the log, and another try', async () => {
    await source.give('stale', 0);
    assert.deepEqual(tokens.tokens(), []);
    assert.deepEqual(told, []);
    assert.equal(logged[0]?.[0], 'error');
    await tick(1_000);
    assert.equal(source.asked, 2);
  });

  it('an account token outlives a reload that keeps its source, and is forgotten with a source that goes', async () => {
    await source.give('one', 10 * MINUTE);
    const other = new ScriptedSource('other');
    sources = [source, other];
    tokens.reconfigure(configuration);
    assert.deepEqual([source.asked, other.asked], [1, 1]);
    await other.give('another', 10 * MINUTE);
    assert.deepEqual(told.at(-1), ['one', 'another']);
    sources = [new ScriptedSource('main', 'main 2')];
    tokens.reconfigure(configuration);
    assert.deepEqual(tokens.tokens(), []);
    await tick(30 * MINUTE);
    assert.deepEqual([source.asked, other.asked], [1, 1], 'who is gone is asked no more');
  });

  it('an account token is not waited for beyond the end of the gateway', async () => {
    tokens.close();
    assert.ok(source.signal?.aborted);
    await source.give('late', MINUTE);
    assert.deepEqual(told, []);
  });

  it('an account token shows in the metrics its failures, and the seconds that are left of it', async () => {
    const registry = new MetricRegistry();
    tokens.register(registry);
    await source.fail('away');
    assert.match(await registry.render(), /sluice_account_token_refresh_failures_total\{account="main"\} 1/);
    assert.match(await registry.render(), /sluice_account_token_seconds_left\{account="main"\} 0/);
    await tick(1_000);
    await source.give('one', MINUTE);
    await tick(15_000);
    assert.match(await registry.render(), /sluice_account_token_seconds_left\{account="main"\} 45/);
  });
});
