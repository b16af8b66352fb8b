import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { after, before, describe, it, type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { z } from 'zod';
import { errorTable } from '../../scripts/print-errors.ts';
import { type Loaded, loadConfiguration, type Refused } from '../../src/config/load.ts';
import { PLUGS } from '../../src/plugs.ts';
import { type RunningGateway, startGateway } from '../support/gateway.ts';

const run = promisify(execFile);
const root = resolve(import.meta.dirname, '../..');
const readme = readFileSync(join(root, 'README.md'), 'utf8');
const pages = ['README.md', 'src/README.md', 'bench/README.md', 'load/README.md'].map((file) => ({
  file,
  text: readFileSync(join(root, file), 'utf8'),
}));

/** Fenced blocks of a language, without their fences. */
function blocks(text: string, language: string): string[] {
  return [...text.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)].flatMap(([, found, inside = '']) =>
    found === language ? [inside] : [],
  );
}

/** What a page lets a reader put into a variable, where that is more than some text. */
const VALUES: Record<string, string> = {
  DATABASE_URL: 'postgres://user:password@host:5432/sluice',
  REDIS_URL: 'redis://host:6379/0',
  HOOK_URL: 'http://127.0.0.1:9000/',
};

/** Loads manifests from a folder in which every variable is set and every file is there that they name. */
function load(context: TestContext, source: string): Loaded | Refused {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-readme-'));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  const environment: Record<string, string> = {};
  for (const [, name = ''] of source.matchAll(/\$\{env:(\w+)\}/g)) {
    environment[name] = VALUES[name] ?? `value-of-${name}`;
  }
  for (const [, file = ''] of source.matchAll(/(?:\$\{file:|_file: )([^\s,}]+)/g)) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), 'secret\n');
  }
  writeFileSync(join(folder, 'sluice.yaml'), source);
  return loadConfiguration({ paths: [folder], environment, kinds: PLUGS, wellKnown: [] });
}

const manifests = blocks(readme, 'yaml').filter((block) => block.startsWith('type: '));

/** What each snippet builds on: the settings that stand nearest above it, and their accounts. */
function withItsServer(manifest: string, index: number): string {
  if (manifest.startsWith('type: sluice/server')) return manifest;
  const server = manifests.slice(0, index).findLast((each) => each.startsWith('type: sluice/server'));
  return `${server}---\n${manifest}`;
}

function loaded(context: TestContext, source: string): Loaded {
  const result = load(context, source);
  assert.ok(!('faults' in result), JSON.stringify('faults' in result && result.faults));
  return result;
}

test('the table of errors is what scripts/print-errors.ts prints', () => {
  const [, table] = /<!-- errors: [^>]*-->\n([\s\S]*?)\n<!-- \/errors -->/.exec(readme) ?? [];
  assert.equal(table, errorTable());
});

test('every manifest of the README loads, without a warning', (context) => {
  assert.ok(manifests.length > 0);
  for (const [index, manifest] of manifests.entries()) {
    assert.deepEqual(loaded(context, withItsServer(manifest, index)).warnings, [], manifest);
  }
});

test('the server of the README has every setting with its default', (context) => {
  const [source = ''] = manifests;
  const { server } = loaded(context, source).configuration;
  const plain = loaded(context, 'type: sluice/server').configuration.server;
  const { adminKey: _key, ...operator } = server.operator;
  const { cors: _cors, ...rest } = { ...server, operator };
  assert.deepEqual({ ...rest, dataDir: '' }, { ...plain, dataDir: '' });

  const [first = ''] = source.split('---');
  const snake = (name: string) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  const { limits, timeouts, counters, ledger, metrics, store, listen } = plain;
  for (const name of [plain, limits, timeouts, counters, ledger, metrics, store, listen].flatMap(Object.keys)) {
    assert.match(first, new RegExp(`\\b${snake(name)}:`), name);
  }
});

test('every npm script that a page names exists', () => {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  for (const { file, text } of pages) {
    for (const [, name = ''] of text.matchAll(/\bnpm run (?:-s )?([a-z]+)/g))
      assert.ok(name in scripts, `${file}: ${name}`);
  }
});

test('every command of sluice that the README shows exists, with its options', { timeout: 60_000 }, async () => {
  const shell = blocks(readme, 'sh').join('\n');
  const shown = [...shell.matchAll(/^npm (?:run (?:-s )?sluice|start) -- (.*)$/gm)].map(([line, rest = '']) => {
    const words = rest.replace(/#.*/, '').trim().split(/\s+/);
    const length = words[0] === 'keys' || words[0] === 'ledger' ? 2 : 1;
    const command = line.startsWith('npm start') ? ['serve'] : words.slice(0, length);
    return { line, command, options: words.filter((word) => word.startsWith('--')) };
  });
  assert.deepEqual([...new Set(shown.map(({ command }) => command.join(' ')))].sort(), [
    'check',
    'keys create',
    'keys list',
    'keys revoke',
    'keys rotate',
    'ledger receipt',
    'ledger verify',
    'serve',
    'usage',
  ]);
  const help = new Map<string, string>();
  for (const { line, command, options } of shown) {
    const known = help.get(command.join(' '));
    const stdout = known ?? (await run(process.execPath, ['src/main.ts', ...command, '--help'], { cwd: root })).stdout;
    help.set(command.join(' '), stdout);
    assert.ok(stdout.startsWith(`Usage: sluice ${command.join(' ')} `), line);
    for (const option of options) assert.ok(stdout.includes(`${option} `), `${line}: ${option}`);
  }
});

test('the subjects and scenarios that the README names exist', () => {
  const names = (command: string) =>
    [
      ...blocks(readme, 'sh')
        .join('\n')
        .matchAll(new RegExp(`^npm run ${command} -- (\\S+)`, 'gm')),
    ].map(([, name]) => name);
  const files = ['bench', 'load']
    .flatMap((folder) => readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }))
    .join('\n');
  for (const name of [...names('bench'), ...names('load')]) {
    if (name === 'list' || name === 'compare') continue;
    assert.match(files, new RegExp(`\\b${name}(\\.bench)?\\.ts$`, 'm'));
  }
});

/** As much of OpenAPI as is asked for. */
const openapi = z.object({ paths: z.record(z.string(), z.record(z.string(), z.unknown())) });
const properties = z.record(z.string(), z.unknown());
const operation = z.object({
  parameters: z.array(z.object({ in: z.string(), name: z.string() })).default([]),
  requestBody: z
    .object({ content: z.object({ 'application/json': z.object({ schema: z.object({ properties }) }) }) })
    .optional(),
});

describe('of a gateway that runs', () => {
  let gateway: RunningGateway;
  before(async () => {
    gateway = await startGateway({
      server: {
        operator: { host: '127.0.0.1', port: 0, admin_key: 'the admin key' },
        metrics: { metadata_keys: ['a'] },
      },
    });
  });
  after(() => gateway?.[Symbol.asyncDispose]());

  it('the metrics are those of the README', async () => {
    const shown = [...(await gateway.metrics()).matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name);
    const table = section('Operating').filter((line) => line.startsWith('| `'));
    const named = table.flatMap((line) => [...(line.split('|')[1] ?? '').matchAll(/`(\w+)`/g)].map(([, name]) => name));
    assert.deepEqual(named.sort(), shown.sort());
  });

  it('the admin routes are those of the README, with their parameters', async () => {
    const document = await (await fetch(`${gateway.operatorUrl}/openapi.json`)).json();
    const routes = new Map<string, string[]>();
    for (const [path, { servers: _, ...methods }] of Object.entries(openapi.parse(document).paths)) {
      if (!path.startsWith('/admin/')) continue;
      for (const [method, written] of Object.entries(methods)) {
        const { parameters, requestBody } = operation.parse(written);
        const query = parameters.filter((each) => each.in === 'query').map(({ name }) => name);
        const properties = Object.keys(requestBody?.content['application/json'].schema.properties ?? {});
        routes.set(`${method.toUpperCase()} ${path}`, [...query, ...properties]);
      }
    }
    const table = new Map(
      section('Admin API').flatMap((line) => {
        const [, route, does = ''] = /^\| `([A-Z]+ \/admin\/[^`]+)` \| (.*) \|$/.exec(line) ?? [];
        return route === undefined ? [] : [[route, does] as const];
      }),
    );
    assert.deepEqual([...table.keys()].sort(), [...routes.keys()].sort());
    for (const [route, names] of routes) {
      for (const name of names) assert.match(table.get(route) ?? '', new RegExp(`\\b${name}\\b`), `${route} ${name}`);
    }
  });
});

/** Lines of the README under a heading, up to the next. */
function section(heading: string): string[] {
  const [, from = ''] = readme.split(`\n## ${heading}\n`);
  return (from.split('\n## ')[0] ?? '').split('\n');
}

test('what the README says of dependencies is what package.json lists', () => {
  const { dependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const text = section('Dependencies').join('\n');
  for (const name of Object.keys(dependencies)) assert.ok(text.includes(`\`${name}\``), name);
  const words = ['Thirteen', 'Fourteen', 'Fifteen', 'Sixteen', 'Seventeen', 'Eighteen', 'Nineteen', 'Twenty'];
  assert.match(text, new RegExp(`^${words[Object.keys(dependencies).length - 13]}, `, 'm'));
});

test('links and named files lead to something that exists', () => {
  for (const { file, text } of pages) {
    const folder = dirname(join(root, file));
    const links = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = '']) => link);
    for (const link of links.filter((each) => !/^https?:/.test(each))) {
      const [path = '', anchor] = link.split('#');
      const target = path === '' ? join(root, file) : resolve(folder, path);
      assert.ok(existsSync(target), `${file}: ${link}`);
      if (anchor !== undefined) assert.ok(anchors(readFileSync(target, 'utf8')).includes(anchor), `${file}: ${link}`);
    }
    for (const [path] of text.matchAll(/\b(?:test|scripts|bench|load)\/[a-z0-9/-]+\.ts\b/g)) {
      assert.ok(existsSync(join(root, path)), `${file}: ${path}`);
    }
  }
});

test('src/README.md names every folder and file at the top of src, and no other', () => {
  const text = readFileSync(join(root, 'src/README.md'), 'utf8');
  const [, tree = ''] = text.split('## The tree');
  const [block = ''] = blocks(tree, '');
  const named = [...block.matchAll(/^[├└]─ (\S+)/gm)].map(([, name]) => name);
  const there = readdirSync(join(root, 'src'))
    .filter((name) => name !== 'README.md')
    .map((name) => (statSync(join(root, 'src', name)).isDirectory() ? `${name}/` : name));
  assert.deepEqual(named.sort(), there.sort());
});

test('paths of src that src/README.md names exist', () => {
  const text = readFileSync(join(root, 'src/README.md'), 'utf8');
  for (const [, path = ''] of text.matchAll(/`([a-z-]+(?:\/[a-z-]+)*\.ts)`/g)) {
    assert.ok(existsSync(join(root, 'src', path)) || existsSync(join(root, path)), path);
  }
});

test('the table of who may import whom is that of scripts/import-rules.ts', () => {
  const source = readFileSync(join(root, 'scripts/import-rules.ts'), 'utf8');
  const [, depths = ''] = /const DEPTHS[^{]*\{([^}]*)\}/.exec(source) ?? [];
  const expected = new Map([...depths.matchAll(/'?([\w.-]+)'?: (\d),/g)].map(([, name = '', depth]) => [name, depth]));
  assert.ok(expected.size > 10);
  const [, table = ''] = readFileSync(join(root, 'src/README.md'), 'utf8').split('## Who may import whom');
  for (const [, depth, names = ''] of table.matchAll(/^\| (\d) \| (.*) \|$/gm)) {
    for (const [, name = ''] of names.matchAll(/`([^`]+)`/g)) {
      // What the script does not list stands above all.
      assert.equal(depth, expected.get(name) ?? '8', name);
      expected.delete(name);
    }
  }
  assert.deepEqual([...expected.keys()], [], 'not in the table');
});

/** As GitHub makes them of headings. */
function anchors(text: string): string[] {
  return [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );
}
