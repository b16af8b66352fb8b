/**
 * Our gateway, started as `npm start` does, with a YAML file. `sluice` has every policy on,
 * `sluice-plain` no rate limit, no budget and no ledger. The access log goes into a file, as the output is redirected
 * there.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { answers, freePort, startChild, untilReady } from '../child.ts';
import { type Peer, VENDORS, type Vendor } from './peer.ts';
import { SECRETS, SECRETS_AND_PII } from './sluice-guards.ts';
import { POLICIES } from './sluice-policies.ts';
import { STORM_ADMIN_KEY, STORM_NAMES, STORM_SETTINGS, stormDocuments } from './sluice-storm.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** A machine that others use as well takes its time. */
const READY_MS = 60_000;
/** The mock, one thread for all, is slow to accept where thousands come at once and others use its cores. */
const CONNECT_MS = 30_000;
/** Not a secret: it opens a gateway that lives on loopback for the length of this run. */
const KEY = 'sk-load-0123456789abcdef0123456789abcdef';
const ALWAYS_ON = ['key', 'model access', 'usage', 'price', 'metrics', 'record', 'access log'];

type Variant = {
  name: string;
  summary: string;
  on: string[];
  policies: string;
  /** Which exchanges are written to the access log. Default: `all`. */
  access?: 'all' | 'off';
  /** Settings beyond those of every run. */
  settings: string;
  /** Its providers are those of a storm. */
  storm?: true;
};

export const sluice = gateway(ROOT, {
  name: 'sluice',
  summary: 'this gateway with every policy on, relay threads by --threads',
  on: [...ALWAYS_ON, '10 rate rules', '5 budgets', 'ledger'],
  policies: POLICIES,
  settings: '',
});

export const sluiceLean = gateway(ROOT, {
  name: 'sluice-lean',
  summary: 'this gateway without rate limits, budgets, ledger and access log',
  on: ALWAYS_ON.filter((each) => each !== 'access log'),
  policies: '',
  settings: 'ledger: {enabled: false}\n',
  access: 'off',
});

/** `sluice` of another checkout, for what a change did. */
export function sluiceBefore(root: string): Peer {
  return gateway(root, {
    name: 'sluice-before',
    summary: 'the gateway of the checkout that --before names, with every policy on',
    on: [...ALWAYS_ON, '10 rate rules', '5 budgets', 'ledger', `of ${root}`],
    policies: POLICIES,
    settings: '',
  });
}

export const sluicePlain = gateway(ROOT, {
  name: 'sluice-plain',
  summary: 'this gateway without rate limits, budgets and ledger',
  on: ALWAYS_ON,
  policies: '',
  settings: 'ledger: {enabled: false}\n',
});

export const sluiceStorm = gateway(ROOT, {
  name: 'sluice-storm',
  summary: 'this gateway with a virtual model before four providers, for `storm`',
  on: [...ALWAYS_ON, 'ledger', 'concurrent requests'],
  policies: '',
  settings: STORM_SETTINGS,
  storm: true,
});

export const sluiceSecrets = gateway(ROOT, {
  name: 'sluice-secrets',
  summary: 'sluice-plain with a guard of secrets on answers',
  on: [...ALWAYS_ON, 'a guard'],
  policies: SECRETS,
  settings: 'ledger: {enabled: false}\n',
});

export const sluiceGuarded = gateway(ROOT, {
  name: 'sluice-guarded',
  summary: 'sluice-plain with guards of secrets and all personal data on answers',
  on: [...ALWAYS_ON, '2 guards'],
  policies: SECRETS_AND_PII,
  settings: 'ledger: {enabled: false}\n',
});

function gateway(
  root: string,
  { name, summary, on, policies, settings, access = 'all', storm }: Variant & { access?: string },
): Peer {
  return {
    name,
    summary,
    async start({ mockUrl, models, folder, threads }) {
      const port = await freePort();
      const operatorPort = await freePort();
      const home = join(folder, name);
      mkdirSync(home, { recursive: true });
      const ports: Record<string, number> = {};
      if (storm) for (const each of STORM_NAMES) ports[each] = await freePort();
      const adminKey = storm ? STORM_ADMIN_KEY : undefined;
      const keys = keysFor(storm ? ['storm', ...STORM_NAMES] : ['mock', ...VENDORS]);
      const documents = [server({ port, operatorPort, threads, home, access, adminKey }) + settings, keys];
      if (!storm) documents[0] += `timeouts: {connect_ms: ${CONNECT_MS}}\n`;
      if (storm) documents.push(stormDocuments(ports));
      else
        documents.push(
          account(mockUrl, models),
          ...VENDORS.map((vendor) => translatedAccount(vendor, mockUrl, models)),
          mcpServer(mockUrl),
        );
      const file = join(home, 'sluice.yaml');
      const write = (more: readonly string[]): void =>
        writeFileSync(file, [...documents, ...(policies === '' ? [] : [policies]), ...more].join('---\n'));
      write([]);
      const args = ['--import', './scripts/strip-types.js', 'src/main.ts', 'serve', '--config', file];
      args.push('--port', String(port));
      args.push('--threads', String(threads), '--data-dir', join(home, 'data'));
      const env = {
        MALLOC_ARENA_MAX: '2',
        ...process.env,
        SLUICE_LOAD_KEY: KEY,
        ...(adminKey && { SLUICE_LOAD_ADMIN_KEY: adminKey }),
      };
      const child = startChild({ name, folder, command: process.execPath, args, cwd: root, env });
      await untilReady(child, READY_MS, answers(`http://127.0.0.1:${operatorPort}/readyz`));
      return {
        name,
        baseUrl: `http://127.0.0.1:${port}/v1`,
        pid: child.pid,
        headers: { authorization: `Bearer ${KEY}` },
        modelName: (mockModel) => `mock/${mockModel}`,
        mcpUrl: `http://127.0.0.1:${port}/mcp/v1/mock/mcp`,
        translatedName: (mockModel, vendor) => `${vendor}/${mockModel}`,
        relaysBytes: true,
        checksKeys: true,
        ...(storm && { storm: ports }),
        operator: {
          url: `http://127.0.0.1:${operatorPort}`,
          reloadWith({ keys: more, rules }) {
            write([...(more === 0 ? [] : [moreKeys(more)]), ...(rules === 0 ? [] : [moreRules(rules)])]);
            child.process.kill('SIGHUP');
          },
          consoleToken: () => /#token=([\w-]+)/.exec(readFileSync(child.logFile, 'utf8'))?.[1],
          exportCommand: {
            command: process.execPath,
            args: ['src/main.ts', 'ledger', 'export', '--config', file, '--data-dir', join(home, 'data')],
            cwd: root,
            env,
          },
        },
        notes: [`${name}: ${threads} relay thread(s); on: ${on.join(', ')}`],
      };
    },
  };
}

type ServerOptions = {
  port: number;
  operatorPort: number;
  threads: number;
  home: string;
  access: string;
  adminKey: string | undefined;
};

function server({ port, operatorPort, threads, home, access, adminKey }: ServerOptions): string {
  const admin = adminKey === undefined ? '' : ', admin_key: "${env:SLUICE_LOAD_ADMIN_KEY}"';
  return `type: sluice/server
listen: {host: 127.0.0.1, port: ${port}}
operator: {host: 127.0.0.1, port: ${operatorPort}${admin}}
threads: ${threads}
data_dir: ${JSON.stringify(join(home, 'data'))}
log: {level: info, access: ${access}}
`;
}

const keysFor = (accounts: readonly string[]): string => `type: sluice/api-keys
keys:
  - {name: load, key: "\${env:SLUICE_LOAD_KEY}", subject: "virtualaccount:load", models: [${accounts.map((name) => `"${name}/*"`).join(', ')}]}
`;

/** Keys of other callers, none of whom asks anything. */
function moreKeys(count: number): string {
  const lines = Array.from({ length: count }, (_, at) => {
    const id = String(at).padStart(6, '0');
    return `  - {name: idle-${id}, key: "sk-idle-${id}-0123456789abcdef01234567", subject: "user:${id}@example.com"}\n`;
  });
  return `type: sluice/api-keys\nkeys:\n${lines.join('')}`;
}

/** Rules for other callers: a list of its own, of which none ever counts. */
function moreRules(count: number): string {
  const rules = Array.from(
    { length: count },
    (_, at) =>
      `  - {id: idle-${at}, when: {subjects: ["user:${String(at).padStart(6, '0')}@example.com"]}, limit_to: 1, unit: requests_per_minute}\n`,
  );
  return `type: gateway-rate-limiting-config\nrules:\n${rules.join('')}`;
}

function account(mockUrl: string, models: readonly string[]): string {
  const integrations = models.map(
    (name) => `  - name: ${name}
    type: integration/model/self-hosted-model
    hosted_model_name: ${name}
    url: "${mockUrl}/v1"
    model_server: openai-compatible
    model_types: [chat, embedding, text_to_speech, audio_transcription]
    cost: {metric: per_1000_tokens, value: {input: 0.001, output: 0.002}}
`,
  );
  return `type: provider-account/self-hosted-model
name: mock
integrations:
${integrations.join('')}`;
}

function mcpServer(mockUrl: string): string {
  return `type: mcp-server/remote
name: mock
description: The server of the mock.
url: "${mockUrl}/mcp"
collaborators: [{subject: "virtualaccount:load", role_id: mcp-server-user}]
`;
}

const ACCOUNTS: Record<Vendor, { kind: string; integration: string; keys: string }> = {
  anthropic: { kind: 'anthropic', integration: 'anthropic', keys: '' },
  gemini: { kind: 'google-gemini', integration: 'gemini', keys: 'auth_data: {type: api-key, apiKey: mock}\n' },
  bedrock: {
    kind: 'aws-bedrock',
    integration: 'bedrock',
    keys: 'region: us-east-1\nauth_data: {type: access-key-based, access_key_id: AKIDMOCK, secret_access_key: mock}\n',
  },
};

/** The same models, in the form of a vendor. */
function translatedAccount(vendor: Vendor, mockUrl: string, models: readonly string[]): string {
  const { kind, integration, keys } = ACCOUNTS[vendor];
  const integrations = models.map(
    (name) => `  - name: ${name}
    type: integration/model/${integration}
    model_id: ${name}
    model_types: [chat]
    cost: {metric: per_1000_tokens, value: {input: 0.001, output: 0.002}}
`,
  );
  return `type: provider-account/${kind}
name: ${vendor}
base_url: "${mockUrl}"
${keys}integrations:
${integrations.join('')}`;
}
