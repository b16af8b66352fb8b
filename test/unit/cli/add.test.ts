// biome-ignore-all lint/suspicious/noTemplateCurlyInString: `${env:NAME}` is our own syntax, not a template
import assert from 'node:assert/strict';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type AddOptions, addProvider, initialise } from '../../../src/cli/add.ts';
import { formatFault } from '../../../src/config/fault.ts';
import { loadConfiguration } from '../../../src/config/load.ts';
import { accountKinds, knownProviders } from '../../../src/plugs.ts';
import { manifestFolder } from '../config/manifest-folder.ts';

type Environment = Record<string, string>;

function place(t: TestContext, environment: Environment = {}, secret = '') {
  const folder = join(manifestFolder(t), 'config');
  const [said, wrong]: [string[], string[]] = [[], []];
  const asked: string[] = [];
  const context = {
    providers: knownProviders(),
    environment,
    askSecret: (question: string) => {
      asked.push(question);
      return Promise.resolve(secret);
    },
    out: (line: string) => void said.push(line),
    error: (line: string) => void wrong.push(line),
  };
  const add = (provider: string, options: Partial<AddOptions> = {}) =>
    addProvider(provider, { config: folder, ...options }, context);
  const load = () => {
    const result = loadConfiguration({ paths: [folder], environment, kinds: accountKinds(), wellKnown: [] });
    assert.deepEqual('faults' in result ? result.faults.map(formatFault) : [], []);
    assert.deepEqual(result.warnings.map(formatFault), []);
    return 'faults' in result ? undefined : result.configuration;
  };
  const read = (file: string) => readFileSync(join(folder, file), 'utf8');
  return { folder, said, wrong, asked, add, load, read, init: () => initialise(folder, context) };
}

test('a first configuration loads as it is: an admin key, a key for clients, and accounts of the variables that are set', async (t) => {
  const here = place(t, { GROQ_API_KEY: 'gsk', DEEPSEEK_API_KEY: 'sk', OPENAI_API_KEY: '' });
  assert.equal(await here.init(), 0);
  const configuration = here.load();
  assert.deepEqual(
    configuration?.accounts.map(({ name }) => name),
    ['deepseek', 'groq'],
  );
  assert.match(here.read('groq.yaml'), /api_key: \$\{env:GROQ_API_KEY\}/);
  assert.deepEqual(here.asked, []);
  assert.match(here.read('client.key'), /^sk-sluice-[\w-]{32}\n$/);
  assert.equal(here.read('.gitignore'), '*.key\n');
  for (const file of ['admin.key', 'client.key']) {
    assert.equal(statSync(join(here.folder, file)).mode & 0o777, 0o600);
    assert.ok(!here.said.join().includes(here.read(file).trim()), 'no key is told');
  }
  assert.equal(await here.init(), 1);
  assert.match(here.wrong.join(), /has manifests already \(deepseek\.yaml\): use sluice add, or another folder/);
});

test('an account that is added keeps its key in a file of its own, or names the variable that is set', async (t) => {
  const here = place(t, { ANTHROPIC_API_KEY: 'sk-ant-set', AZURE_API_KEY: 'a' }, 'sk-a-secret\n');
  assert.equal(await here.init(), 0);
  assert.equal(await here.add('openai', { model: ['gpt-4o', 'text-embedding-3-small'] }), 0);
  assert.equal(await here.add('fireworks', { name: 'fast' }), 0);
  assert.equal(await here.add('my-own', { baseUrl: 'http://127.0.0.1:8000/v1' }), 0);
  assert.equal(await here.add('azure', { baseUrl: 'https://x.openai.azure.com' }), 0);
  assert.equal(await here.add('bedrock', { region: 'eu-central-1' }), 0);
  assert.equal(await here.add('mistral'), 0);
  assert.equal(await here.add('ollama'), 0);
  const types = here.load()?.accounts.map(({ name, type }) => `${name} ${type.replace('provider-account/', '')}`);
  assert.deepEqual(types, [
    'anthropic anthropic',
    'azure azure-openai',
    'bedrock aws-bedrock',
    'fast openai-compatible',
    'mistral mistral-ai',
    'my-own openai-compatible',
    'ollama ollama',
    'openai openai',
  ]);
  assert.deepEqual(here.asked, [
    'Key of openai: ',
    'Key of fast: ',
    'Key of my-own: ',
    'Key of azure: ',
    'Key of mistral: ',
  ]);
  assert.equal(here.read('openai.key'), 'sk-a-secret\n');
  assert.equal(statSync(join(here.folder, 'openai.key')).mode & 0o777, 0o600);
  assert.match(here.read('openai.yaml'), /api_key: \$\{file:\.\/openai\.key\}/);
  assert.match(here.read('openai.yaml'), /text-embedding-3-small\n +model_types:\n +- embedding\n/);
  assert.match(here.said.join('\n'), /Clients ask for fast\/MODEL\. Check it: sluice check --online/);
  assert.ok(!here.said.join().includes('sk-a-secret'));
});

test('an account that cannot be added leaves no file, and says what to do', async (t) => {
  const here = place(t);
  for (const [provider, options, said] of [
    ['opanai', {}, /`opanai` is no provider that is known\. Did you mean `openai`\?/],
    ['zzzzzzzz', {}, /docs\/providers\.md lists them\. With --base-url any host of OpenAI's form works/],
    ['openai', {}, /no key was given: set OPENAI_API_KEY, or type it when asked, or give it on standard input/],
    ['openai', { name: '../x' }, /--name: found "\.\.\/x"; allowed are 1 to 64 characters/],
  ] as const) {
    here.wrong.length = 0;
    assert.equal(await here.add(provider, options), 1);
    assert.match(here.wrong.join(), said);
  }
  const azure = place(t, {}, 'k');
  assert.equal(await azure.add('azure'), 1);
  assert.match(azure.wrong.join(), /needs the address of its resource; --base-url gives an address/);
  for (const { folder } of [here, azure]) assert.ok(!existsSync(folder));
  const twice = place(t, { OPENAI_API_KEY: 'k' });
  assert.deepEqual([await twice.add('openai'), await twice.add('openai')], [0, 1]);
  assert.match(twice.wrong.join(), /openai\.yaml is there already: choose another --name, or edit it/);
});
