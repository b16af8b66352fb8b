import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { describe, test } from 'node:test';
import type { GuardConfig } from '../../../src/config/guardrails/guardrails.ts';
import type { HttpClient, HttpRequest } from '../../../src/core/http-client.ts';
import type { GuardQuestion } from '../../../src/guardrails/guard.ts';
import { RememberedAnswers } from '../../../src/guardrails/guards/remembered.ts';
import { tokenSources } from '../../../src/plugs.ts';
import type { Tokens } from '../../../src/providers/credential.ts';
import { guardConfig, mutated, openSession } from './guarded.ts';

const AWS = { guardrail_id: 'g', guardrail_version: '1', region: 'eu-west-1' };
const AZURE = { resource_name: 'r', api_version: 'v', severity_threshold: 2, categories: ['Hate'] };
const ARMOR = { project_id: 'p', location: 'us-central1', template_id: 't' };
const KEY_FILE = JSON.stringify({ type: 'service_account', client_email: 'a@b.c', private_key: testKey() });

function testKey(): string {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

function headerOf({ headers = [] }: HttpRequest, name: string): string | undefined {
  const at = headers.findIndex((each, index) => index % 2 === 0 && each.toLowerCase() === name);
  return at < 0 ? undefined : headers[at + 1];
}

interface Asking {
  readonly answer?: object;
  readonly tokens?: Tokens;
  readonly texts?: readonly string[];
  readonly id?: string;
}

function guardOf(config: GuardConfig, asked: HttpRequest[], { answer = {}, tokens }: Asking) {
  const http: HttpClient = (request) => {
    asked.push(request);
    return Promise.resolve({ status: 200, headers: {}, body: Buffer.from(JSON.stringify(answer)) });
  };
  return openSession({ configs: [config], hook: 'llm-input', http, ...(tokens && { tokens }) });
}

async function ask(session: ReturnType<typeof openSession>, texts: readonly string[], id = 'x') {
  const question: GuardQuestion = {
    hook: 'llm-input',
    exchange: { ...session.exchange, id },
    texts: texts.map((text) => ({ text, kind: 'text' })),
    request: {},
  };
  const { validators } = session.hook('llm-input')!;
  const refused = await session.validate('llm-input', validators, question);
  return { refused, result: session.results.at(-1)! };
}

describe('credentials of clouds', () => {
  test('a guard of Bedrock signs with the keys of its account, as requests for models are signed', async () => {
    const auth = { type: 'access-key-based', access_key_id: 'AKIDEXAMPLE', secret_access_key: 'secret' };
    const config = guardConfig({ kind: 'aws-bedrock', operation: 'validate', config: AWS, auth });
    const asked: HttpRequest[] = [];
    await ask(guardOf(config, asked, { answer: { action: 'NONE' } }), ['one']);
    const [request] = asked;
    assert.match(
      headerOf(request!, 'authorization')!,
      /^AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE\/\d+\/eu-west-1\/bedrock\//,
    );
    assert.match(headerOf(request!, 'x-amz-date')!, /^\d{8}T\d{6}Z$/);
  });

  test('a role of AWS, an application of Entra and a key file of Google each bring one source of tokens', () => {
    const application = { tenant_id: 't', client_id: 'c' };
    const guards = [
      guardConfig({
        kind: 'aws-bedrock',
        config: AWS,
        auth: { type: 'assumed-role-based', assumed_role_arn: 'arn:aws:iam::123456789012:role/guard' },
      }),
      guardConfig({ kind: 'aws-bedrock', name: 'g/ambient', config: AWS }),
      guardConfig({
        kind: 'azure-pii',
        config: AZURE,
        auth: { type: 'client-secret', client_secret: 's', ...application },
      }),
      guardConfig({ kind: 'azure-content-safety', config: AZURE, auth: { type: 'workload-identity', ...application } }),
      guardConfig({ kind: 'azure-prompt-shield', config: AZURE, auth: { type: 'api-key', api_key: 'k' } }),
      guardConfig({
        kind: 'google-model-armor',
        config: ARMOR,
        auth: { type: 'key-file', key_file_content: KEY_FILE },
      }),
      guardConfig({ kind: 'openai-moderations', config: { model: 'm' }, auth: { type: 'api-key', api_key: 'k' } }),
    ];
    const sources = tokenSources({ accounts: [], guards });
    assert.deepEqual(
      sources.map(({ account }) => account),
      ['g.aws-bedrock', 'g.ambient', 'g.azure-pii', 'g.azure-content-safety', 'g.google-model-armor'],
    );
    assert.equal(new Set(sources.map(({ id }) => id)).size, sources.length);
  });

  test('a guard of Azure with an identity sends the token that was fetched, and before that is an error', async () => {
    const auth = { type: 'client-secret', tenant_id: 't', client_id: 'c', client_secret: 's' };
    const config = guardConfig({ kind: 'azure-content-safety', operation: 'validate', config: AZURE, auth });
    const answer = { categoriesAnalysis: [] };
    const none: HttpRequest[] = [];
    const { refused, result } = await ask(guardOf(config, none, { answer }), ['one']);
    assert.equal(refused?.code, 'guardrail_unavailable');
    assert.match(result.detail!, /has no token yet/);
    assert.equal(none.length, 0);
    const [source] = tokenSources({ accounts: [], guards: [config] });
    const token = { id: source!.id, account: 'a', values: { token: 'fetched' }, expiresAtMs: Date.now() + 60_000 };
    const tokens: Tokens = { get: (id) => (id === source!.id ? token : undefined) };
    const asked: HttpRequest[] = [];
    assert.equal((await ask(guardOf(config, asked, { answer, tokens }), ['one'])).result.result, 'passed');
    assert.equal(headerOf(asked[0]!, 'authorization'), 'Bearer fetched');
  });

  test('a guard whose credential is none is an error that says so, and asks nobody', async () => {
    const auth = { type: 'key-file', key_file_content: 'no JSON' };
    const config = guardConfig({ kind: 'google-model-armor', operation: 'validate', config: ARMOR, auth });
    const asked: HttpRequest[] = [];
    const { result } = await ask(guardOf(config, asked, {}), ['one']);
    assert.equal(result.result, 'error');
    assert.match(result.detail!, /service account/);
    assert.equal(asked.length, 0);
  });
});

describe('remembered answers', () => {
  const remember = { ttlMs: 1_000, maxAnswers: 2 };
  const config = guardConfig({
    kind: 'palo-alto-prisma-airs',
    operation: 'validate',
    config: { profile_name: 'p', base_url: 'https://airs.example/v1', mode: 'sync' },
    auth: { type: 'api-key', api_key: 'k' },
    remember,
  });

  test('equal texts are asked about once, whatever the exchange, and other texts anew', async () => {
    const asked: HttpRequest[] = [];
    const session = guardOf(config, asked, { answer: { action: 'block', category: 'malicious' } });
    for (const id of ['exchange-1', 'exchange-2', 'exchange-3']) {
      const { refused } = await ask(session, ['the same'], id);
      assert.equal(refused?.code, 'guardrail_blocked');
    }
    assert.equal(asked.length, 1);
    await ask(session, ['another']);
    assert.equal(asked.length, 2);
  });

  test('without `remember` each text is asked about each time', async () => {
    const asked: HttpRequest[] = [];
    const { remember: _, ...plain } = config;
    const session = guardOf(plain, asked, { answer: { action: 'allow' } });
    await ask(session, ['the same']);
    await ask(session, ['the same']);
    assert.equal(asked.length, 2);
  });

  test('an answer holds for its time, the oldest make room, and errors are not kept', () => {
    let now = 0;
    const answers = new RememberedAnswers(remember, () => now);
    const [a, b, c] = ['a', 'b', 'c'].map((text) => answers.keyOf('https://guard', text)) as [string, string, string];
    answers.keep(a, { result: 'passed' });
    answers.keep(b, { result: 'error', message: 'gone' });
    assert.deepEqual([answers.find(a), answers.find(b)], [{ result: 'passed' }, undefined]);
    answers.keep(b, { result: 'passed' });
    answers.keep(c, { result: 'mutated', texts: ['*'] });
    assert.equal(answers.find(a), undefined);
    assert.ok(answers.find(b) && answers.find(c));
    now = 1_001;
    assert.equal(answers.find(b), undefined);
    answers.keep(a, { result: 'mutated', texts: ['x'.repeat(20_000)] });
    assert.equal(answers.find(a), undefined);
  });

  test('two threads name the same text by different keys, so that nothing can be looked up by its hash', () => {
    const [one, other] = [new RememberedAnswers(remember), new RememberedAnswers(remember)];
    assert.notEqual(one.keyOf('u', 'secret'), other.keyOf('u', 'secret'));
  });
});

describe('names and places by Presidio', () => {
  const own = { pii_categories: ['Email', 'Person', 'Address'], presidio_url: 'http://presidio:3000' };
  const texts = ['😀 Ann Lee lives in Oslo', 'nothing here'];
  // Presidio counts code points: the first of the text takes one, and two UTF-16 units.
  const answer = [
    [
      { entity_type: 'PERSON', start: 2, end: 9, score: 0.85 },
      { entity_type: 'LOCATION', start: 19, end: 23, score: 0.85 },
      { entity_type: 'PERSON', start: 6, end: 9, score: 0.6 },
    ],
    [],
  ];

  async function looked(more: Partial<GuardConfig>, said: unknown = answer) {
    const asked: HttpRequest[] = [];
    const config = guardConfig({ kind: 'tfy-pii', config: { ...own, ...more.config }, ...more });
    const session = guardOf({ ...config, config: { ...own, ...more.config } }, asked, { answer: said as object });
    const question: GuardQuestion = {
      hook: 'llm-input',
      exchange: session.exchange,
      texts: texts.map((text) => ({ text, kind: 'text' })),
      request: {},
    };
    const { validators } = session.hook('llm-input')!;
    const made = await mutated(session, question);
    const refused = made.refused ?? (await session.validate('llm-input', validators, question));
    return { asked, left: made.texts, refused, session };
  }

  test('findings of Presidio are taken out where they stand, and it is asked only for the kinds that are left to it', async () => {
    const { asked, left } = await looked({});
    assert.deepEqual(left, ['😀 [Person] lives in [Address]', 'nothing here']);
    assert.equal(asked[0]!.url, 'http://presidio:3000/analyze');
    const body = JSON.parse(String(asked[0]!.body));
    assert.deepEqual(body, { text: texts, language: 'en', entities: ['PERSON', 'LOCATION'], score_threshold: 0.5 });
  });

  test('with pseudonyms a name gets a placeholder whose value is known in this exchange', async () => {
    const { left, session } = await looked({ config: { pseudonyms: true } });
    assert.deepEqual(left, ['😀 <Person_1> lives in <Address_2>', 'nothing here']);
    assert.equal(session.pseudonyms.valueOf('<Person_1>'), 'Ann Lee');
  });

  test('a guard that only looks refuses what Presidio finds', async () => {
    const { refused } = await looked({ operation: 'validate' });
    assert.equal(refused?.code, 'guardrail_blocked');
    assert.match(refused!.message, /Person, Address/);
  });

  test('an answer about other texts, or outside of them, is an error', async () => {
    for (const said of [[[]], {}, [[{ entity_type: 'PERSON', start: 2, end: 99 }], []], [[{ entity_type: 'X' }], []]]) {
      const { refused } = await looked({}, said);
      assert.equal(refused?.code, 'guardrail_unavailable', JSON.stringify(said));
    }
  });

  test('without names and places among the categories Presidio is not asked', async () => {
    const { asked, left } = await looked({ config: { pii_categories: ['Email'] } });
    assert.deepEqual([asked.length, left], [0, texts]);
  });
});
