import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GatewayError } from '../../../src/core/errors.ts';
import type { ProviderAccount, Target } from '../../../src/providers/provider.ts';
import { type Catalogue, ModelRoutes } from '../../../src/routing/model-routes.ts';
import { exampleTarget } from '../../support/targets.ts';
import { leastMs } from '../growth.ts';

const known: Record<string, string[]> = {
  openai: ['gpt-4o', 'gpt-4o-mini', 'shared-model'],
  anthropic: ['claude-haiku', 'shared-model'],
};
const catalogue: Catalogue = {
  models: (id) => known[id] ?? [],
  has: (id, model) => (known[id] ?? []).includes(model),
};

function target(account: string, model: string): Target {
  return { ...exampleTarget, id: `${account}/${model}`, account, modelId: `upstream-${model}` };
}

/** Without a list it passes on any id. */
function account(name: string, type: string, models: readonly string[] = [], catalogueId?: string): ProviderAccount {
  const listed = models.map((model) => target(name, model));
  const byName = new Map(models.map((model, index) => [model, listed[index]!]));
  return {
    name,
    type: `provider-account/${type}`,
    provider: type,
    catalogueId,
    exampleModel: undefined,
    connections: [{ origin: `https://${name}.example`, credential: name }],
    listed,
    target: (model) => (listed.length > 0 ? byName.get(model) : target(name, model)),
  };
}

const openAi = account('oai', 'openai', [], 'openai');
const anthropic = account('ant', 'anthropic', [], 'anthropic');
const local = account('local', 'self-hosted-model', ['llama', 'org/qwen']);

function resolved(routes: ModelRoutes, name: string): string {
  const route = routes.resolve(name);
  assert.ok(!(route instanceof GatewayError), `${name}: ${route instanceof GatewayError ? route.message : ''}`);
  assert.equal(route.targets.length, 1);
  assert.equal(route.targets[0]?.id, route.model);
  return route.model;
}

function unknown(routes: ModelRoutes, name: string): GatewayError {
  const route = routes.resolve(name);
  assert.ok(route instanceof GatewayError, `${name} is known`);
  return route;
}

const all = () => true;

test('account/model is the model of that account, and the first slash ends the account', () => {
  const routes = new ModelRoutes([openAi, local], catalogue);
  assert.equal(resolved(routes, 'local/llama'), 'local/llama');
  assert.equal(resolved(routes, 'local/org/qwen'), 'local/org/qwen');
  assert.equal(resolved(routes, 'oai/any/thing:at@all'), 'oai/any/thing:at@all');
});

test('an account that lists models has no others, and one that lists none has any', () => {
  const routes = new ModelRoutes([openAi, local], catalogue);
  assert.equal(unknown(routes, 'local/other').status, 404);
  assert.equal(resolved(routes, 'oai/not-in-the-catalogue'), 'oai/not-in-the-catalogue');
  for (const name of ['oai/', '/llama', 'nobody/llama']) assert.equal(unknown(routes, name).code, 'model_not_found');
});

test('a bare id that exactly one account lists is that account’s', () => {
  const routes = new ModelRoutes([openAi, local], catalogue);
  assert.equal(resolved(routes, 'llama'), 'local/llama');
  assert.equal(resolved(routes, 'org/qwen'), 'local/org/qwen', 'a slash in it does not make it an account');
});

test('a bare id that several accounts list is refused, and they are named', () => {
  const other = account('other', 'ollama', ['llama']);
  const routes = new ModelRoutes([local, other], catalogue);
  assert.equal(unknown(routes, 'llama').code, 'model_not_found');
  assert.match(
    routes.notFound('llama', all).message,
    /Several accounts serve it: name one of `local\/llama`, `other\/llama`/,
  );
});

test('a bare id is looked up in the catalogue of accounts that list none: with one of each kind names work as they are', () => {
  const routes = new ModelRoutes([openAi, anthropic], catalogue);
  assert.equal(resolved(routes, 'gpt-4o'), 'oai/gpt-4o');
  assert.equal(resolved(routes, 'claude-haiku'), 'ant/claude-haiku');
  assert.equal(unknown(routes, 'shared-model').code, 'model_not_found', 'two catalogues know it');
  assert.equal(unknown(routes, 'nobody-knows').code, 'model_not_found');
});

test('two accounts of one provider make its bare ids ambiguous', () => {
  const routes = new ModelRoutes([openAi, account('second', 'openai', [], 'openai')], catalogue);
  assert.equal(unknown(routes, 'gpt-4o').code, 'model_not_found');
  assert.match(routes.notFound('gpt-4o', all).message, /`oai\/gpt-4o`, `second\/gpt-4o`/);
});

test('a list wins over a catalogue', () => {
  const routes = new ModelRoutes([openAi, account('mine', 'openai', ['gpt-4o'], 'openai')], catalogue);
  assert.equal(resolved(routes, 'gpt-4o'), 'mine/gpt-4o');
});

test('an account without a catalogue is not guessed for a bare id', () => {
  const routes = new ModelRoutes([account('ollama', 'ollama')], catalogue);
  assert.equal(unknown(routes, 'llama').code, 'model_not_found');
  assert.equal(resolved(routes, 'ollama/llama'), 'ollama/llama');
});

test('an id that is not well formed is 400, not 404', () => {
  const routes = new ModelRoutes([openAi], catalogue);
  for (const name of ['', 'oai/../x', 'oai/a b', 'x'.repeat(257)])
    assert.equal(unknown(routes, name).code, 'invalid_model');
});

test('near names are told among those the key may use, and no others', () => {
  const routes = new ModelRoutes([openAi, anthropic, local], catalogue);
  const error = routes.notFound('oai/gpt-4o-mimi', all);
  assert.equal(error.status, 404);
  assert.equal(error.context.param, 'model');
  assert.match(error.message, /`oai\/gpt-4o-mimi` is not known\. Did you mean: `oai\/gpt-4o-mini`/);
  const limited = routes.notFound('oai/gpt-4o-mimi', (model) => model.startsWith('local/'));
  assert.doesNotMatch(limited.message, /gpt-4o-mini/);
  assert.doesNotMatch(routes.notFound('zzzzzzzzz', all).message, /Did you mean/);
});

test('an unknown name without a near one says what the configuration lacks: a provider, or a line of its account', () => {
  const answers = { ...target('demo', 'chat'), local: () => ({ abort() {}, pause() {}, resume() {} }) };
  const demo = { ...account('demo', 'demo', ['chat']), listed: [answers] };
  const alone = new ModelRoutes([demo], catalogue).notFound('claude-sonnet', all);
  assert.match(alone.message, /No provider is configured, so only the demo answers: its operator must add an account/);
  const both = new ModelRoutes([demo, local], catalogue);
  assert.doesNotMatch(both.notFound('claude-sonnet', all).message, /No provider|integrations/);
  const unlisted = both.notFound('local/claude-sonnet', all).message;
  assert.match(
    unlisted,
    /The account `local` serves the models that its `integrations` list, and this is none of them\./,
  );
  assert.doesNotMatch(both.notFound('local/claude-sonnet', (model) => model === 'demo/chat').message, /integrations/);
});

test('a bare id of an account that the key may not use is not told', () => {
  const routes = new ModelRoutes([local, account('other', 'ollama', ['llama'])], catalogue);
  assert.doesNotMatch(routes.notFound('llama', (model) => model.startsWith('local/')).message, /other/);
});

test('the model list holds what accounts list, and the catalogue of those that list none', () => {
  const routes = new ModelRoutes([openAi, local, account('bare', 'ollama')], catalogue);
  const unknown = { modelTypes: undefined };
  assert.deepEqual(routes.list(), [
    { id: 'oai/gpt-4o', ownedBy: 'openai', ...unknown },
    { id: 'oai/gpt-4o-mini', ownedBy: 'openai', ...unknown },
    { id: 'oai/shared-model', ownedBy: 'openai', ...unknown },
    { id: 'local/llama', ownedBy: 'self-hosted-model', ...unknown },
    { id: 'local/org/qwen', ownedBy: 'self-hosted-model', ...unknown },
  ]);
});

test('a name is resolved once: the same route, and so the same target, every time', () => {
  const routes = new ModelRoutes([openAi], catalogue);
  assert.equal(routes.resolve('oai/x'), routes.resolve('oai/x'));
  assert.equal(routes.resolve('nobody/x'), routes.resolve('nobody/x'));
});

test('names that clients invent do not pile up', () => {
  let made = 0;
  const counting: ProviderAccount = {
    ...openAi,
    target: (model) => {
      made += 1;
      return target('oai', model);
    },
  };
  const routes = new ModelRoutes([counting], catalogue);
  const first = routes.resolve('oai/first');
  for (let i = 0; i < 10_001; i += 1) routes.resolve(`oai/m${i}`);
  assert.equal(made, 10_002);
  assert.notEqual(routes.resolve('oai/first'), first, 'the first was forgotten');
});

test('near names among thousands of models are found in bounded time', () => {
  const many = account(
    'many',
    'openai',
    Array.from({ length: 20_000 }, (_, index) => `model-${index}-of-many`),
  );
  const routes = new ModelRoutes([many], catalogue);
  routes.list();
  const ms = leastMs(() => void routes.notFound('many/model-77x-of-many', all), 3);
  assert.ok(ms < 500, `${ms} ms`);
});

test('connections in use are known for every account, also for one that lists no models', () => {
  const routes = new ModelRoutes([openAi, local], catalogue);
  assert.deepEqual(
    [...routes.connections()].map(({ credential }) => credential),
    ['oai', 'local'],
  );
});
