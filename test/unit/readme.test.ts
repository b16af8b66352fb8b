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
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { errorTable } from '../../scripts/print-errors.ts';
import { type Loaded, loadConfiguration, type Refused } from '../../src/config/load.ts';
import { PLUGS } from '../../src/plugs.ts';
import { Metrics } from '../../src/telemetry/metrics.ts';

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

/** Loads manifests from a folder in which every variable is set and every file is there that they name. */
function load(context: TestContext, source: string): Loaded | Refused {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-readme-'));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  const environment: Record<string, string> = {};
  for (const [, name = ''] of source.matchAll(/\$\{env:(\w+)\}/g)) environment[name] = `value-of-${name}`;
  for (const [, file = ''] of source.matchAll(/(?:\$\{file:|_file: )([^\s,}]+)/g)) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), 'secret\n');
  }
  writeFileSync(join(folder, 'sluice.yaml'), source);
  return loadConfiguration({ paths: [folder], environment, kinds: PLUGS, wellKnown: [] });
}

const manifests = blocks(readme, 'yaml').filter((block) => block.startsWith('type: '));

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
  for (const manifest of manifests) assert.deepEqual(loaded(context, manifest).warnings, []);
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
  for (const name of [plain, plain.limits, plain.timeouts].flatMap(Object.keys)) {
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
    const command = line.startsWith('npm start') ? ['serve'] : words.slice(0, words[0] === 'keys' ? 2 : 1);
    return { line, command, options: words.filter((word) => word.startsWith('--')) };
  });
  assert.deepEqual([...new Set(shown.map(({ command }) => command.join(' ')))].sort(), [
    'check',
    'keys create',
    'keys list',
    'keys revoke',
    'serve',
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

test('the metrics of the README are those that /metrics shows', async () => {
  const metrics = new Metrics({ inFlight: () => 0, bodyMemoryBytes: () => 0, logLinesDropped: () => 0 });
  const shown = [...(await metrics.render()).matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name);
  const [, section = ''] = readme.split('## Operating');
  const table = section.split('\n').filter((line) => line.startsWith('| `'));
  const named = table.flatMap((line) => [...(line.split('|')[1] ?? '').matchAll(/`(\w+)`/g)].map(([, name]) => name));
  assert.deepEqual(named.slice(0, shown.length).sort(), shown.sort());
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
      assert.equal(depth, expected.get(name) ?? '6', name);
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
