import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it, test } from 'node:test';
import { z } from 'zod';
import { SCENARIOS } from '../../../load/scenarios/all.ts';
import { schemaKeys } from '../../../src/config/checks/schema-keys.ts';
import { serverSchema } from '../../../src/config/server/server-schema.ts';
import { allPlugs } from '../../../src/plugs.ts';
import { type RunningGateway, startGateway } from '../../support/gateway.ts';
import { blocks, inlineCode, page, pages, root, section } from '../../support/pages.ts';
import { sluice } from '../../support/sluice-command.ts';

const PLUGS = allPlugs();

const packageJson = z
  .object({ scripts: z.record(z.string(), z.string()), dependencies: z.record(z.string(), z.string()) })
  .parse(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')));

test('every npm script that a page names exists', () => {
  for (const { file, text } of pages) {
    for (const [, name = ''] of text.matchAll(/\bnpm run (?:-s )?([a-z]+)/g)) {
      assert.ok(name in packageJson.scripts, `${file}: ${name}`);
    }
  }
});

/** Commands of Sluice as a page shows them: in shell snippets by npm, in a sentence by their name. */
function shownCommands(text: string): { line: string; command: string[]; options: string[] }[] {
  const inShell = blocks(text, 'sh')
    .join('\n')
    .matchAll(/^npm (?:run (?:-s )?sluice|start) -- (.*)$/gm);
  const lines = [
    ...[...inShell].map(([line, rest = '']) => ({ line, rest: line.startsWith('npm start') ? `serve ${rest}` : rest })),
    ...inlineCode(text).flatMap((line) => (/^sluice [a-z]/.test(line) ? [{ line, rest: line.slice(7) }] : [])),
  ];
  return lines.map(({ line, rest }) => {
    const words = rest.replace(/#.*/, '').trim().split(/\s+/);
    const length = words[0] === 'keys' || words[0] === 'ledger' ? 2 : 1;
    return { line, command: words.slice(0, length), options: words.filter((word) => word.startsWith('--')) };
  });
}

test('every command of Sluice that a page shows exists, with its options', { timeout: 60_000 }, async () => {
  const help = new Map<string, string>();
  for (const { file, text } of pages) {
    for (const { line, command, options } of shownCommands(text)) {
      const name = command.join(' ');
      const known = help.get(name);
      const stdout = known ?? (await sluice([...command, '--help'])).stdout;
      help.set(name, stdout);
      assert.ok(stdout.startsWith(`Usage: sluice ${name} `), `${file}: ${line}`);
      for (const option of options) assert.ok(stdout.includes(`${option} `), `${file}: ${line}: ${option}`);
    }
  }
  const keys = ['keys create', 'keys list', 'keys revoke', 'keys rotate', 'keys rotate-signing-key'];
  const ledger = ['ledger erase', 'ledger export', 'ledger receipt', 'ledger verify'];
  assert.deepEqual([...help.keys()].sort(), [
    'add',
    'backup',
    'check',
    'import',
    'init',
    ...keys,
    ...ledger,
    'serve',
    'usage',
  ]);
});

test('every bench subject and load scenario that a page names exists', () => {
  const files = globSync('{bench,load}/**/*.ts', { cwd: root, exclude: (name) => name === 'node_modules' }).join('\n');
  for (const { file, text } of pages) {
    for (const [, name = ''] of text.matchAll(/\bnpm run (?:bench|load) -- ([a-z][a-z-]*)/g)) {
      if (name === 'list' || name === 'compare') continue;
      // A file may hold several scenarios.
      if (SCENARIOS.some((scenario) => scenario.name === name)) continue;
      // A folder of bench/ is run whole.
      assert.match(files, new RegExp(`/${name}((\\.bench)?\\.ts$|/)`, 'm'), `${file}: ${name}`);
    }
  }
});

test('every environment variable that a page names is read by Sluice or set by a page', () => {
  const text = pages.map((each) => each.text).join('\n');
  const known = new Set(
    PLUGS.flatMap(({ wellKnown }) => (wellKnown ? [wellKnown.variable, ...(wellKnown.otherVariables ?? [])] : [])),
  );
  for (const file of globSync('src/**/*.ts', { cwd: root })) {
    const code = readFileSync(join(root, file), 'utf8');
    for (const [, name = ''] of code.matchAll(/['"]([A-Z]+_[A-Z_]+)['"]/g)) known.add(name);
  }
  // What load gives to the commands that it starts.
  for (const [, name = ''] of readFileSync(join(root, 'load/peers/others.ts'), 'utf8').matchAll(
    /\b([A-Z]+_[A-Z_]+):/g,
  )) {
    known.add(name);
  }
  for (const [, name = ''] of text.matchAll(/\$\{env:(\w+)\}/g)) known.add(name);
  for (const [line] of text.matchAll(/^export .*$/gm)) {
    for (const [, name = ''] of line.matchAll(/\b([A-Z][A-Z_]*)=/g)) known.add(name);
  }
  // Pages about the code name constants of it.
  for (const { file, text: of } of pages.filter((each) => !each.file.startsWith('src/'))) {
    const shell = blocks(of, 'sh').join('\n');
    const code = [...blocks(of, 'js'), ...blocks(of, 'python')].join('\n');
    const named = [
      ...[...shell.matchAll(/\$\{?([A-Z][A-Z_]+)/g)],
      ...[...code.matchAll(/(?:process\.env\.|environ\[")([A-Z_]+)/g)],
      ...inlineCode(of)
        .flatMap((each) => /^([A-Z]+_[A-Z_]+)$/.exec(each) ?? [])
        .map((name) => [name, name]),
    ];
    for (const [, name = ''] of named) assert.ok(known.has(name), `${file}: ${name}`);
  }
});

test('every setting of the server that a page names exists', () => {
  const paths = schemaKeys(serverSchema).map(({ path }) => path);
  const sections = [...new Set(paths.flatMap((path) => (path.includes('.') ? [path.split('.')[0]] : [])))];
  const setting = new RegExp(`^(?:${sections.join('|')})\\.[a-z_.]+`);
  for (const { file, text } of pages) {
    // Kinds of manifest have keys of the same names.
    if (file === 'docs/manifests.md') continue;
    for (const [named] of inlineCode(text).flatMap((each) => [setting.exec(each) ?? []])) {
      // What a run of code has by this name is no setting.
      if (named === undefined || named === 'console.log') continue;
      assert.ok(
        paths.some((path) => path === named || path.startsWith(`${named}.`)),
        `${file}: ${named}`,
      );
    }
  }
});

test('every metric that a page names is in the table of docs/metrics.md', () => {
  const table = new Set([...page('docs/metrics.md').matchAll(/^\| `(\w+)`/gm)].map(([, name]) => name));
  for (const { file, text } of pages) {
    for (const name of inlineCode(text)) {
      if (/^(sluice|ai_gateway|process)_\w+$/.test(name)) assert.ok(table.has(name), `${file}: ${name}`);
    }
  }
});

test('docs/dependencies.md names every dependency of package.json, and how many there are', () => {
  const text = page('docs/dependencies.md');
  const names = Object.keys(packageJson.dependencies);
  for (const name of names) assert.ok(text.includes(`\`${name}\``), name);
  const ones = ['', '-one', '-two', '-three', '-four', '-five', '-six', '-seven', '-eight', '-nine'];
  const tens = names.length < 30 ? 'Twenty' : 'Thirty';
  assert.match(text, new RegExp(`^${tens}${ones[names.length % 10]}, `, 'm'));
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

describe('docs/api.md', () => {
  let gateway: RunningGateway;
  before(async () => {
    gateway = await startGateway({
      server: { operator: { host: '127.0.0.1', port: 0, admin_key: 'the admin key' } },
    });
  });
  after(() => gateway?.[Symbol.asyncDispose]());

  async function operations(): Promise<Map<string, unknown>> {
    const document = openapi.parse(await (await fetch(`${gateway.operatorUrl}/openapi.json`)).json());
    return new Map(
      Object.entries(document.paths).flatMap(([path, { servers: _, ...methods }]) =>
        Object.entries(methods).map(([method, written]) => [`${method.toUpperCase()} ${path}`, written] as const),
      ),
    );
  }

  it('lists the paths that the gateway’s own OpenAPI document has for clients', async () => {
    const served = [...(await operations()).keys()].filter((route) => /^\w+ \/(chat|models)/.test(route));
    const listed = section('docs/api.md', 'Paths').flatMap((line) => /^\| `(\w+ \/[a-z][^`]*)`/.exec(line)?.[1] ?? []);
    for (const route of served) assert.ok(listed.includes(route.replace('{model}', '{id}')), route);
  });

  it('lists the admin routes that the gateway has, with all their parameters', async () => {
    const routes = new Map<string, string[]>();
    for (const [route, written] of await operations()) {
      if (!route.includes(' /admin/')) continue;
      const { parameters, requestBody } = operation.parse(written);
      const query = parameters.filter((each) => each.in === 'query').map(({ name }) => name);
      const body = Object.keys(requestBody?.content['application/json'].schema.properties ?? {});
      routes.set(route, [...query, ...body]);
    }
    const table = new Map(
      section('docs/api.md', 'Admin API').flatMap((line) => {
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
