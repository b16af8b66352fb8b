/**
 * Our gateway, started as a user would: the `serve` command with a YAML file, and every policy on that it knows. Its
 * access log goes into a file, as its output is redirected there.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { answers, freePort, startChild, untilReady } from '../child.ts';
import type { Peer } from './peer.ts';
import { supportedPolicies } from './sluice-policies.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const READY_MS = 20_000;
/** Not a secret: it opens a gateway that lives on loopback for the length of this run. */
const KEY = 'sk-load-0123456789abcdef0123456789abcdef';
const ALWAYS_ON = ['key', 'model access', 'usage', 'price', 'metrics', 'record', 'access log'];

export const sluice: Peer = {
  name: 'sluice',
  summary: 'this gateway with every policy on, relay threads by --threads',
  async start({ mockUrl, models, folder, threads }) {
    const port = await freePort();
    const operatorPort = await freePort();
    const home = join(folder, 'sluice');
    mkdirSync(home, { recursive: true });
    const policies = supportedPolicies(ROOT, join(home, 'policies.yaml'));
    const documents = [server(port, operatorPort, threads, home), KEYS, account(mockUrl, models)];
    const file = join(home, 'sluice.yaml');
    writeFileSync(file, [...documents, ...policies.map(({ yaml }) => yaml)].join('---\n'));
    const args = ['src/main.ts', 'serve', '--config', file, '--port', String(port)];
    args.push('--threads', String(threads), '--data-dir', join(home, 'data'));
    const env = { ...process.env, SLUICE_LOAD_KEY: KEY };
    const child = startChild({ name: 'sluice', folder, command: process.execPath, args, cwd: ROOT, env });
    await untilReady(child, READY_MS, answers(`http://127.0.0.1:${operatorPort}/readyz`));
    const on = [...ALWAYS_ON, ...policies.map(({ name }) => name)];
    return {
      name: 'sluice',
      baseUrl: `http://127.0.0.1:${port}/v1`,
      pid: child.pid,
      headers: { authorization: `Bearer ${KEY}` },
      modelName: (mockModel) => `mock/${mockModel}`,
      relaysBytes: true,
      checksKeys: true,
      notes: [`sluice: ${threads} relay thread(s); on: ${on.join(', ')}`],
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

const KEYS = `type: sluice/api-keys
keys:
  - {name: load, key: "\${env:SLUICE_LOAD_KEY}", subject: "virtualaccount:load", models: ["mock/*"]}
`;

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
