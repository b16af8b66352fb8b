/**
 * Our gateway, started as a user would: the `serve` command with a YAML file, every policy on (key, model access, rate
 * limit, budget, usage metering, metrics, record, access log into a file). Limits are so high that nothing is refused.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { answers, freePort, startChild, untilReady } from '../child.ts';
import type { Peer } from './peer.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const READY_MS = 20_000;
/** Not a secret: it opens a gateway that lives on loopback for the length of this run. */
const KEY = 'sk-load-0123456789abcdef0123456789abcdef';

export const sluice: Peer = {
  name: 'sluice',
  summary: 'this gateway with every policy on, relay threads by --threads',
  async start({ mockUrl, models, folder, threads }) {
    const port = await freePort();
    const operatorPort = await freePort();
    const home = join(folder, 'sluice');
    mkdirSync(home, { recursive: true });
    const file = join(home, 'sluice.yaml');
    writeFileSync(
      file,
      [server(port, operatorPort, threads, home), keys(), account(mockUrl, models), LIMITS].join('---\n'),
    );
    const args = ['src/main.ts', 'serve', '--config', file, '--port', String(port)];
    args.push('--threads', String(threads), '--data-dir', join(home, 'data'));
    const child = startChild({ name: 'sluice', folder, command: process.execPath, args, cwd: ROOT });
    await untilReady(child, READY_MS, answers(`http://127.0.0.1:${operatorPort}/readyz`));
    return {
      name: 'sluice',
      baseUrl: `http://127.0.0.1:${port}/v1`,
      pid: child.pid,
      headers: { authorization: `Bearer ${KEY}` },
      modelName: (mockModel) => `mock/${mockModel}`,
      relaysBytes: true,
      checksKeys: true,
      notes: [
        `sluice: ${threads} relay thread(s); key, model access, rate limit, budget, usage, metrics, record, log on`,
      ],
    };
  },
};

function server(port: number, operatorPort: number, threads: number, home: string): string {
  return `type: sluice/server
listen: {host: 127.0.0.1, port: ${port}}
operator: {host: 127.0.0.1, port: ${operatorPort}}
threads: ${threads}
data_dir: ${JSON.stringify(join(home, 'data'))}
log: {level: info, access: all}
`;
}

function keys(): string {
  return `type: sluice/api-keys
keys:
  - {name: load, key: "${KEY}", subject: "virtualaccount:load", models: ["mock/*"]}
`;
}

function account(mockUrl: string, models: readonly string[]): string {
  const integrations = models.map(
    (name) => `  - name: ${name}
    type: integration/model/self-hosted-model
    hosted_model_name: ${name}
    url: "${mockUrl}/v1"
    model_server: openai-compatible
    model_types: [chat]
    cost: {metric: per_1000_tokens, value: {input: 0.001, output: 0.002}}
`,
  );
  return `type: provider-account/self-hosted-model
name: mock
integrations:
${integrations.join('')}`;
}

const LIMITS = `type: gateway-rate-limiting-config
rules:
  - {id: load-requests, when: {subjects: ["virtualaccount:load"]}, limit_to: 1000000000, unit: requests_per_minute, rate_limit_applies_per: [virtualaccount]}
  - {id: load-tokens, when: {}, limit_to: 1000000000000, unit: tokens_per_minute, rate_limit_applies_per: [model]}
---
type: gateway-budget-config
rules:
  - {id: load-budget, when: {subjects: ["virtualaccount:load"]}, limit_to: 1000000000, unit: cost_per_day, budget_applies_per: [virtualaccount]}
`;
