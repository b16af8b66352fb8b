import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { watchGateway } from './openapi-check.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

export const KEY = 'sk-test key with spaces #1';

export interface RunningGateway extends AsyncDisposable {
  /** Without base path. */
  readonly url: string;
  readonly operatorUrl: string;
  readonly pid: number;
  readonly process: ChildProcess;
  readonly folder: string;
  readonly configFile: string;
  /** All that was written to standard output and standard error so far. */
  output(): string;
  /** Writes a new configuration over the old one; the gateway sees it by itself. `server` adds to the settings. */
  configure(manifests: readonly object[], server?: Record<string, unknown>): Promise<void>;
  /** Lines of the access log so far whose fields are all as in `fields`. */
  records(fields: Record<string, unknown>): Record<string, unknown>[];
  /** SIGTERM, then the exit code. */
  stop(): Promise<number | null>;
  /** The exit code, whenever and however it ends; null: by a signal. */
  readonly exited: Promise<number | null>;
  metrics(): Promise<string>;
  /** One sample's value, summed over the label sets that hold all of `labels`. */
  metric(name: string, labels?: Record<string, string>): Promise<number>;
}

export interface GatewayOptions {
  /** Settings of sluice/server beyond the ports, in YAML form. */
  readonly server?: Record<string, unknown>;
  /** Further manifests: accounts. */
  readonly manifests?: readonly object[];
  /** Default: one key for everything, KEY. */
  readonly keys?: readonly object[];
  readonly environment?: Record<string, string>;
  /** Keeps the data of an earlier one. */
  readonly folder?: string;
  /** A command that the arguments of `serve` are added to, run in a process group of its own; as `npm start --`. */
  readonly command?: readonly [string, ...string[]];
}

/** As `npm start` does it, but without npm: types are stripped, and code is compiled, once for all tests. */
const SERVE = [
  process.execPath,
  '--import',
  './test/support/compile-cache.js',
  '--import',
  './scripts/strip-types.js',
  'src/main.ts',
  'serve',
] as const;

/** A test that runs out of its time is ended by a signal, and what it started must not outlive it. */
const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});
process.once('SIGTERM', () => process.exit(143));

/** A gateway that ended instead of being ready. */
export class NotStarted extends Error {
  readonly exitCode: number | null;
  readonly output: string;

  constructor(exitCode: number | null, output: string) {
    super(`the gateway ended with ${exitCode}:\n${output}`);
    this.exitCode = exitCode;
    this.output = output;
  }
}

/** What npm tells the tests is not meant for what they start. */
const environment = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('npm_')));

/** The real thing, as a user starts it: `sluice serve --config FILE`, one process, ports of its own. */
export async function startGateway(options: GatewayOptions = {}): Promise<RunningGateway> {
  const folder = options.folder ?? (await mkdtemp(join(tmpdir(), 'sluice-test-')));
  const configFile = join(folder, 'sluice.yaml');
  const manifestsOf = (manifests: readonly object[], server: Record<string, unknown>): object[] => [
    {
      type: 'sluice/server',
      listen: { host: '127.0.0.1', port: 0 },
      operator: { host: '127.0.0.1', port: 0 },
      threads: 1,
      data_dir: join(folder, 'data'),
      ...options.server,
      ...server,
    },
    {
      type: 'sluice/api-keys',
      keys: options.keys ?? [{ name: 'test', key: KEY, subject: 'virtualaccount:test' }],
    },
    ...manifests,
  ];
  const write = (manifests: readonly object[], server: Record<string, unknown> = {}): Promise<void> =>
    writeFile(
      configFile,
      manifestsOf(manifests, server)
        .map((each) => stringify(each))
        .join('---\n'),
    );
  await write(options.manifests ?? []);
  const [program, ...before] = options.command ?? SERVE;
  const child = spawn(program, [...before, '--config', configFile], {
    cwd: root,
    env: { ...environment, ...options.environment },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: options.command !== undefined,
  });
  running.add(child);
  child.once('exit', () => running.delete(child));
  let output = '';
  child.stderr.on('data', (data: Buffer) => {
    output += data.toString();
  });
  // 'close' comes when its output was read to the end, 'exit' may come before that.
  const exited = once(child, 'close').then(() => child.exitCode);
  const lines = createInterface({ input: child.stdout });
  // Tests ask for records again and again, so each line is looked through once.
  const exchanges: string[] = [];
  const ready = await new Promise<RegExpMatchArray>((resolve, reject) => {
    lines.on('line', (line) => {
      output += `${line}\n`;
      if (line.startsWith('{') && line.includes('"msg":"exchange"')) exchanges.push(line);
      const match = line.match(/Sluice is ready: (\S+)\/v1 \(operator: (\S+)\)/);
      if (match) resolve(match);
    });
    exited.then((code) => reject(new NotStarted(code, output)), reject);
  });
  const url = ready[1]!;
  const operatorUrl = ready[2]!;
  watchGateway(url);

  const stop = async (): Promise<number | null> => {
    if (child.exitCode === null && child.signalCode === null) {
      const exit = once(child, 'exit');
      child.kill('SIGTERM');
      await exit;
    }
    return child.exitCode;
  };
  const metrics = async (): Promise<string> => (await fetch(`${operatorUrl}/metrics`)).text();
  return {
    url,
    operatorUrl,
    pid: child.pid!,
    process: child,
    folder,
    configFile,
    output: () => output,
    exited,
    records: (fields) =>
      exchanges
        // Cheap first.
        .filter((line) => Object.values(fields).every((value) => line.includes(JSON.stringify(value))))
        .map((line) => JSON.parse(line))
        .filter((record) => Object.entries(fields).every(([name, value]) => record[name] === value)),
    configure: write,
    stop,
    metrics,
    metric: async (name, labels = {}) => sumOf(await metrics(), name, labels),
    [Symbol.asyncDispose]: async () => {
      if (options.command) killGroup(child.pid!);
      if (child.exitCode === null && child.signalCode === null) {
        const exit = once(child, 'exit');
        child.kill('SIGKILL');
        await exit;
      }
      if (options.folder === undefined) await rm(folder, { recursive: true, force: true });
    },
  };
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // All of it has ended.
  }
}

function sumOf(text: string, name: string, labels: Record<string, string>): number {
  let sum = 0;
  for (const line of text.split('\n')) {
    if (!line.startsWith(name) || !(line[name.length] === '{' || line[name.length] === ' ')) continue;
    if (Object.entries(labels).every(([key, value]) => line.includes(`${key}="${value}"`))) {
      sum += Number(line.slice(line.lastIndexOf(' ') + 1));
    }
  }
  return sum;
}

/** Asks until it is so; for what happens a little later in another process. Fails after `withinMs`. */
export async function eventually(
  what: string,
  holds: () => Promise<boolean> | boolean,
  withinMs = 20_000,
): Promise<void> {
  const until = performance.now() + withinMs;
  while (!(await holds())) {
    if (performance.now() > until) throw new Error(`not within ${withinMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** An account whose models are passed on to a provider at `url` (with /v1). `more`: what each of them has besides. */
export function selfHosted(name: string, url: string, models: readonly string[], more: object = {}): object {
  return {
    type: 'provider-account/self-hosted-model',
    name,
    integrations: models.map((model) => ({
      name: model,
      type: 'integration/model/self-hosted-model',
      hosted_model_name: model,
      url,
      model_server: 'openai-compatible',
      model_types: ['chat'],
      ...more,
    })),
  };
}

/** The record of the request that was sent with this `x-request-id`, once it is in the access log. */
export async function recordOf(gateway: RunningGateway, requestId: string): Promise<Record<string, unknown>> {
  const find = () => gateway.records({ 'http.request.id': requestId });
  await eventually(`a record of ${requestId}`, () => find().length > 0);
  const [record] = find();
  return record!;
}
