import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';

/*
 * The table of metrics is read off a gateway that runs, since the labels of a family are those of its samples. The
 * gateway gets enough to do that every family has one: answers, a stream, a failure, refusals, an alert, a faulty reload.
 */

const root = fileURLToPath(new URL('../..', import.meta.url));
const WITHIN_MS = 15_000;
const KEY = 'sk-docs';
/** Families of which this gateway can have no sample, with their labels: no account here fetches tokens, no model calls tools, no Redis is there. */
const WITHOUT_SAMPLE: Readonly<Record<string, readonly string[]>> = {
  ai_gateway_agent_tool_calls_total: ['tool_name', 'integration_fqn'],
  sluice_account_token_refresh_failures_total: ['account'],
  sluice_account_token_seconds_left: ['account'],
  sluice_cache_redis_up: [],
  sluice_target_health_shared: [],
};

interface Family {
  readonly name: string;
  readonly type: string;
  readonly help: string;
  readonly labels: Set<string>;
  hasSamples: boolean;
}

export async function metricTable(): Promise<string> {
  const rows = (await families()).map(({ name, type, help, labels }) => {
    return `| \`${name}\` | ${type} | ${[...labels, ...(WITHOUT_SAMPLE[name] ?? [])].join(', ')} | ${help} |`;
  });
  return ['| metric | type | labels | counts |', '|---|---|---|---|', ...rows.sort()].join('\n');
}

async function families(): Promise<Family[]> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-metrics-'));
  const outside = await startOutside();
  const config = join(folder, 'sluice.yaml');
  const source = manifests(folder, outside.url).map((each) => stringify(each));
  await writeFile(config, source.join('---\n'));
  const child = spawn(process.execPath, ['src/main.ts', 'serve', '--config', config], {
    cwd: root,
    env: { ...process.env, DOCS_KEY: KEY, DOCS_HOOK: `${outside.url}/hook` },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  try {
    const ready = new Promise<RegExpMatchArray>((resolve) => {
      createInterface({ input: child.stdout }).on('line', (line) => {
        const match = line.match(/Sluice is ready: (\S+) \(operator: (\S+)\)/);
        if (match) resolve(match);
      });
    });
    const started = await Promise.race([ready, exited.then(() => undefined)]);
    if (started === undefined) throw new Error('the gateway whose metrics are wanted did not start');
    const [, url = '', operatorUrl = ''] = started;
    await traffic(url);
    await writeFile(config, [...source, 'type: sluice/fault\n'].join('---\n'));
    child.kill('SIGHUP');
    return await complete(`${operatorUrl}/metrics`);
  } finally {
    child.kill('SIGTERM');
    await exited;
    outside.server.close();
    outside.server.closeAllConnections();
    await rm(folder, { recursive: true, force: true });
  }
}

function manifests(folder: string, outsideUrl: string): object[] {
  return [
    {
      type: 'sluice/server',
      listen: { host: '127.0.0.1', port: 0 },
      operator: { host: '127.0.0.1', port: 0 },
      threads: 1,
      data_dir: join(folder, 'data'),
      demo: true,
      log: { access: 'off' },
      metrics: { metadata_keys: ['KEY'] },
    },
    { type: 'sluice/api-keys', keys: [{ name: 'docs', key: '${env:DOCS_KEY}', subject: 'virtualaccount:docs' }] },
    {
      type: 'provider-account/self-hosted-model',
      name: 'outside',
      integrations: ['fails', 'spent', 'searches'].map((name) => ({
        name,
        type: 'integration/model/self-hosted-model',
        hosted_model_name: name,
        url: `${outsideUrl}/v1`,
        model_server: 'openai-compatible',
        model_types: ['chat'],
      })),
    },
    {
      type: 'provider-account/virtual-model',
      name: 'two',
      integrations: [
        {
          name: 'models',
          type: 'integration/model/virtual',
          model_types: ['chat'],
          routing_config: {
            type: 'priority-based-routing',
            load_balance_targets: ['fails', 'searches'].map((name, priority) => ({
              target: `outside/${name}`,
              priority,
              retry_config: { attempts: 0 },
            })),
          },
        },
      ],
    },
    {
      type: 'provider-account/guardrail-config-group',
      name: 'guards',
      integrations: [
        {
          type: 'integration/guardrail-config/regex',
          name: 'few',
          config: { custom_patterns: [{ pattern: 'never said' }] },
        },
      ],
    },
    { type: 'gateway-guardrails-config', rules: [{ id: 'all', llm_input_guardrails: ['guards/few'] }] },
    {
      type: 'gateway-rate-limiting-config',
      rules: [{ id: 'few', when: { models: ['demo/*'] }, limit_to: 2, unit: 'requests_per_hour' }],
    },
    {
      type: 'gateway-budget-config',
      rules: [
        {
          id: 'alerting',
          when: { models: ['demo/*'] },
          limit_to: 1000,
          unit: 'tokens_per_day',
          alerts: { thresholds: [1], notification_target: [{ type: 'webhook', notification_channel: 'hooks/here' }] },
        },
        { id: 'spent', when: { models: ['outside/spent'] }, limit_to: 0, unit: 'tokens_per_day' },
      ],
    },
    {
      type: 'provider-account/webhook',
      name: 'hooks',
      integrations: [
        { name: 'here', type: 'integration/notification-channel/webhook', webhook_url: '${env:DOCS_HOOK}' },
      ],
    },
    {
      type: 'mcp-server/remote',
      name: 'away',
      description: '',
      url: `${outsideUrl}/mcp`,
      collaborators: [{ subject: '*', role_id: 'mcp-server-user' }],
    },
    {
      type: 'gateway-otel-config',
      otel_traces_exporter_config: { type: 'http', endpoint: outsideUrl, encoding: 'json' },
    },
    {
      type: 'sluice/identity-provider',
      name: 'issuer',
      issuer: outsideUrl,
      jwks_uri: `${outsideUrl}/jwks`,
      audiences: ['sluice'],
    },
  ];
}

/** An answer of a model without a price, which searched the web. */
const SEARCHED = JSON.stringify({
  object: 'chat.completion',
  choices: [{ index: 0, message: { role: 'assistant', content: 'found' }, finish_reason: 'stop' }],
  usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2, num_search_queries: 1 },
});

/** Takes alerts, serves no signing keys, and fails as a provider but for one model. */
async function startOutside(): Promise<{ server: Server; url: string }> {
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (bytes) => {
      body += bytes;
    });
    request.on('end', () => {
      if (request.url === '/jwks') response.end('{"keys":[]}');
      else if (request.url === '/hook') response.writeHead(204).end();
      else if (body.includes('"searches"')) response.setHeader('content-type', 'application/json').end(SEARCHED);
      else response.writeHead(500).end();
    });
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const address = server.address();
  return { server, url: `http://127.0.0.1:${typeof address === 'object' ? address?.port : address}` };
}

async function traffic(url: string): Promise<void> {
  const ask = async (model: string, stream: boolean, more: Record<string, string> = {}): Promise<void> => {
    const response = await fetch(`${url}/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${KEY}`, 'x-tfy-metadata': '{"KEY":"value"}', ...more },
      body: JSON.stringify({ model, stream, messages: [{ role: 'user', content: 'Hello' }] }),
    });
    await response.arrayBuffer();
  };
  await ask('demo/chat', false);
  await ask('demo/chat', true);
  await ask('demo/chat', false);
  await ask('outside/fails', false);
  await ask('outside/spent', false);
  await ask('outside/searches', false);
  await ask('two/models', false);
  await ask('outside/searches', false, { 'x-tfy-cache-config': '{}' });
  await ask('outside/searches', false, { 'x-tfy-cache-config': '{}' });
  await ask('outside/searches', false, { 'x-tfy-cache-config': '{"shadow": true}' });
  await callTool(url);
}

/** Calls a tool of a server that fails. */
async function callTool(url: string): Promise<void> {
  const version = { 'io.modelcontextprotocol/protocolVersion': '2026-07-28' };
  const _meta = { ...version, 'io.modelcontextprotocol/clientCapabilities': {} };
  const response = await fetch(`${url}/mcp/v1/away/mcp`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${KEY}`,
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': 'tools/call',
      'mcp-name': 'any',
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'any', _meta } }),
  });
  await response.arrayBuffer();
}

/** Asks again until every family has a sample: records and alerts come a little after their exchanges. */
async function complete(url: string): Promise<Family[]> {
  for (const until = performance.now() + WITHIN_MS; ; ) {
    const found = parse(await (await fetch(url)).text());
    const empty = found
      .filter(({ name, hasSamples }) => !hasSamples && !(name in WITHOUT_SAMPLE))
      .map(({ name }) => name);
    if (empty.length === 0) return found;
    if (performance.now() > until) {
      throw new Error(`no sample of ${empty.join(', ')}: scripts/docs/metric-table.ts has to cause one`);
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** The text format of Prometheus, as far as we write it. */
function parse(text: string): Family[] {
  const found: Family[] = [];
  let help = '';
  for (const line of text.split('\n')) {
    const [, kind, name = '', rest = ''] = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line) ?? [];
    if (kind === 'HELP') help = rest;
    else if (kind === 'TYPE') found.push({ name, type: rest, help, labels: new Set(), hasSamples: false });
    else if (line !== '') {
      const family = found.at(-1);
      if (family === undefined) continue;
      family.hasSamples = true;
      for (const [, label = ''] of line.matchAll(/[{,](\w+)="/g)) if (label !== 'le') family.labels.add(label);
    }
  }
  return found;
}
