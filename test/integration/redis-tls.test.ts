import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { ask, messages } from '../support/chat-client.ts';
import { eventually, type RunningGateway, startGateway } from '../support/gateway.ts';
import { withRedis } from '../support/redis-counting.ts';
import { type RedisServer, redisSkip, startRedis } from '../support/redis-server.ts';
import { freePort } from '../support/server-process.ts';

const run = promisify(execFile);
const noOpenssl: string | false = await run('openssl', ['version']).then(
  () => false,
  () => 'no openssl command to make a certificate with',
);
const PASSWORD = 'pass/word @ Redis';
const RULES = {
  name: 'limits',
  type: 'gateway-rate-limiting-config',
  rules: [{ id: 'two', when: {}, limit_to: 2, unit: 'requests_per_hour' }],
};

describe('Redis behind TLS and a password', { skip: redisSkip || noOpenssl }, () => {
  let folder: string;
  let redis: RedisServer;
  let secureUrl: string;
  const running: RunningGateway[] = [];
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sluice-tls-'));
    const [keyFile, certFile] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
    const words = 'req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1';
    await run('openssl', [...words.split(' '), '-keyout', keyFile, '-out', certFile]);
    const port = await freePort();
    const tls = ['--tls-port', `${port}`, '--tls-cert-file', certFile, '--tls-key-file', keyFile];
    redis = await startRedis(...tls, '--tls-auth-clients', 'no', '--requirepass', PASSWORD);
    secureUrl = `rediss://:${encodeURIComponent(PASSWORD)}@127.0.0.1:${port}/0`;
  });
  after(async () => {
    await Promise.all(running.map((each) => each[Symbol.asyncDispose]()));
    await redis?.[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });

  async function start(environment: Record<string, string>): Promise<RunningGateway> {
    const gateway = await startGateway({
      server: { store: { counters: secureUrl }, counters: { timeout_ms: 5_000 }, demo: true },
      manifests: [RULES],
      environment,
    });
    running.push(gateway);
    return gateway;
  }
  const status = async (gateway: RunningGateway): Promise<number> => {
    const response = await ask(gateway, { model: 'demo/chat', messages });
    await response.text();
    return response.status;
  };

  it('a Redis behind TLS and a password is used where its certificate is vouched for', async () => {
    const gateway = await start({ NODE_EXTRA_CA_CERTS: join(folder, 'cert.pem') });
    assert.deepEqual([await status(gateway), await status(gateway), await status(gateway)], [200, 200, 429]);
    assert.equal(await gateway.metric('sluice_counters_away'), 0);
    const plainUrl = redis.url.replace('//', `//:${encodeURIComponent(PASSWORD)}@`);
    assert.equal(await withRedis(plainUrl, (client) => client.zCard('sluice:owners')), 1);
    assert.ok(!gateway.output().includes('pass'));
  });

  it('a Redis whose certificate nobody vouches for counts as away, and the log tells no password', async () => {
    const gateway = await start({});
    await eventually('it says why', () => /"reason":"(DEPTH_ZERO_)?SELF_SIGNED_CERT/.test(gateway.output()));
    assert.ok(!gateway.output().includes('pass'));
  });
});
