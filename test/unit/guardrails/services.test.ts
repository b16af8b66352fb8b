import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { GuardKind } from '../../../src/config/guardrails/guard-schemas.ts';
import type { GuardConfig, Hook } from '../../../src/config/guardrails/guardrails.ts';
import type { HttpRequest } from '../../../src/core/http-client.ts';
import type { GuardQuestion } from '../../../src/guardrails/guard.ts';
import { guardConfig, openSession } from './guarded.ts';

const KEY = { type: 'api-key', api_key: 'k' };
const AZURE = { resource_name: 'r', api_version: 'v' };

interface ServiceCase {
  readonly kind: GuardKind;
  readonly config: Record<string, unknown>;
  readonly auth?: Record<string, unknown>;
  readonly operation?: GuardConfig['operation'];
  readonly hook?: Hook;
  /** What it is asked, as far as the case says. */
  readonly asked: { readonly url: RegExp; readonly header?: readonly [string, string]; readonly body: RegExp };
  readonly passes: object | null;
  readonly fails?: object;
  /** With the texts that it makes of `one` and `two`. */
  readonly mutates?: readonly [object, readonly string[]];
}

const CASES: Record<string, ServiceCase> = {
  'openai-moderations': {
    kind: 'openai-moderations',
    config: { model: 'omni-moderation-latest', category_thresholds: { violence: 0.4 } },
    asked: {
      url: /^https:\/\/api\.openai\.com\/v1\/moderations$/,
      header: ['authorization', 'Bearer k'],
      body: /"input":\["one","two"\]/,
    },
    passes: { results: [{ flagged: true, categories: { violence: true }, category_scores: { violence: 0.3 } }] },
    fails: { results: [{ flagged: false, categories: { violence: false }, category_scores: { violence: 0.5 } }] },
  },
  'azure-content-safety': {
    kind: 'azure-content-safety',
    config: { ...AZURE, severity_threshold: 2, categories: ['Hate'] },
    asked: {
      url: /r\.cognitiveservices\.azure\.com\/contentsafety\/text:analyze\?api-version=v$/,
      header: ['ocp-apim-subscription-key', 'k'],
      body: /"categories":\["Hate"\]/,
    },
    passes: { categoriesAnalysis: [{ category: 'Hate', severity: 1 }] },
    fails: { categoriesAnalysis: [{ category: 'Hate', severity: 2 }] },
  },
  'azure-prompt-shield': {
    kind: 'azure-prompt-shield',
    config: AZURE,
    asked: { url: /text:shieldPrompt/, body: /"userPrompt":"one\\ntwo"/ },
    passes: { userPromptAnalysis: { attackDetected: false }, documentsAnalysis: [] },
    fails: { userPromptAnalysis: { attackDetected: true }, documentsAnalysis: [] },
  },
  'azure-pii': {
    kind: 'azure-pii',
    operation: 'mutate',
    config: { ...AZURE, model_version: 'latest', language: 'en', domain: 'none', pii_categories: ['Email'] },
    asked: { url: /\/language\/:analyze-text/, body: /"kind":"PiiEntityRecognition"/ },
    passes: { results: { documents: [{ id: '0', entities: [] }], errors: [] } },
    mutates: [
      { results: { documents: [{ id: '1', redactedText: '***', entities: [{ category: 'Email' }] }], errors: [] } },
      ['one', '***'],
    ],
  },
  'aws-bedrock': {
    kind: 'aws-bedrock',
    operation: 'mutate',
    config: { guardrail_id: 'g', guardrail_version: '1', region: 'us-east-1' },
    asked: {
      url: /bedrock-runtime\.us-east-1\.amazonaws\.com\/guardrail\/g\/version\/1\/apply$/,
      body: /"source":"INPUT"/,
    },
    passes: { action: 'NONE', outputs: [], assessments: [] },
    fails: {
      action: 'GUARDRAIL_INTERVENED',
      outputs: [{ text: 'no' }],
      assessments: [{ topicPolicy: { topics: [{ action: 'BLOCKED' }] } }],
    },
    mutates: [
      {
        action: 'GUARDRAIL_INTERVENED',
        outputs: [{ text: 'a' }, { text: 'b' }],
        assessments: [{ x: { action: 'ANONYMIZED' } }],
      },
      ['a', 'b'],
    ],
  },
  'enkrypt-ai': {
    kind: 'enkrypt-ai',
    config: { guardrail_name: 'p' },
    asked: {
      url: /api\.enkryptai\.com\/guardrails\/policy\/detect$/,
      header: ['x-enkrypt-policy', 'p'],
      body: /"text":"one\\ntwo"/,
    },
    passes: { summary: { injection_attack: 0, toxicity: [] } },
    fails: { summary: { injection_attack: 1, toxicity: [] } },
  },
  'palo-alto-prisma-airs': {
    kind: 'palo-alto-prisma-airs',
    config: { profile_name: 'p', base_url: 'https://airs.example/v1', mode: 'sync' },
    asked: {
      url: /^https:\/\/airs\.example\/v1\/scan\/sync\/request$/,
      header: ['x-pan-token', 'k'],
      body: /"contents":\[\{"prompt":"one\\ntwo"\}\]/,
    },
    passes: { action: 'allow', category: 'benign' },
    fails: { action: 'block', category: 'malicious' },
  },
  'palo-alto-prisma-airs that is only told': {
    kind: 'palo-alto-prisma-airs',
    config: { profile_name: 'p', base_url: 'https://airs.example/v1', mode: 'async' },
    asked: {
      url: /^https:\/\/airs\.example\/v1\/scan\/async\/request$/,
      header: ['x-pan-token', 'k'],
      body: /^\[\{"req_id":1,"scan_req":\{.*"contents":\[\{"prompt":"one\\ntwo"\}\]/,
    },
    passes: { scan_id: 's', received: '2026-01-01T00:00:00Z' },
  },
  fiddler: {
    kind: 'fiddler',
    config: { guard_type: 'fiddler-safety', threshold: 0.3 },
    asked: { url: /\/v3\/guardrails\/ftl-safety$/, body: /"data":\{"input":"one\\ntwo"\}/ },
    passes: { fdl_jailbreaking: 0.1 },
    fails: { fdl_jailbreaking: 0.4 },
  },
  'crowdstrike-aidr': {
    kind: 'crowdstrike-aidr',
    operation: 'mutate',
    config: {},
    asked: {
      url: /\/v1\/guard_chat_completions$/,
      body: /"guard_input":\{"messages":\[\{"role":"user","content":"one"\}/,
    },
    passes: { result: { blocked: false, transformed: false } },
    fails: { result: { blocked: true } },
    mutates: [
      {
        result: { blocked: false, transformed: true, guard_output: { messages: [{ content: 'a' }, { content: 'b' }] } },
      },
      ['a', 'b'],
    ],
  },
  patronus: {
    kind: 'patronus',
    config: { evaluators: [{ type: 'judge', criteria: 'patronus:is-polite' }] },
    hook: 'llm-output',
    asked: {
      url: /\/v1\/evaluate$/,
      header: ['x-api-key', 'k'],
      body: /"evaluators":\[\{"evaluator":"judge","criteria":"patronus:is-polite"\}\]/,
    },
    passes: { results: [{ status: 'success', criteria: 'c', evaluation_result: { pass: true } }] },
    fails: { results: [{ status: 'success', criteria: 'c', evaluation_result: { pass: false } }] },
  },
  'google-model-armor': {
    kind: 'google-model-armor',
    config: { project_id: 'p', location: 'us-central1', template_id: 't' },
    asked: {
      url: /modelarmor\.us-central1\.rep\.googleapis\.com\/v1\/projects\/p\/locations\/us-central1\/templates\/t:sanitizeUserPrompt$/,
      body: /"userPromptData"/,
    },
    passes: { sanitizationResult: { filterMatchState: 'NO_MATCH_FOUND' } },
    fails: {
      sanitizationResult: { filterMatchState: 'MATCH_FOUND', filterResults: { sdp: { matchState: 'MATCH_FOUND' } } },
    },
  },
  'grayswan-cygnal': {
    kind: 'grayswan-cygnal',
    config: { base_url: 'https://api.grayswan.ai/cygnal/monitor', reasoning_mode: 'off' },
    asked: { url: /\/cygnal\/monitor$/, header: ['grayswan-api-key', 'k'], body: /"reasoning_mode":"off"/ },
    passes: { violation: 0.1 },
    fails: { violation: 0.9 },
  },
  opa: {
    kind: 'opa',
    config: { opa_url: 'http://opa:8181', policy_path: 'gateway/allow' },
    auth: { type: 'bearer-auth', bearer_token: 't' },
    asked: {
      url: /^http:\/\/opa:8181\/v1\/data\/gateway\/allow$/,
      header: ['authorization', 'Bearer t'],
      body: /"subject":"user:a@b.c"/,
    },
    passes: { result: { allow: true } },
    fails: { result: { allow: false, reason: 'not today' } },
  },
  'custom in the reference product’s contract': {
    kind: 'custom',
    operation: 'mutate',
    config: { url: 'http://guard/check', config: { level: 3 } },
    auth: { type: 'basic-auth', username: 'u', password: 'p' },
    asked: {
      url: /^http:\/\/guard\/check$/,
      header: ['authorization', 'Basic dTpw'],
      body: /"requestBody":.*"config":\{"level":3\},"context":\{"user":\{"subjectId":"user:a@b.c"/,
    },
    passes: { verdict: true },
    fails: { verdict: false, message: 'no' },
    mutates: [
      { verdict: true, transformed: true, result: { messages: [{ content: 'one' }, { content: '***' }] } },
      ['one', '***'],
    ],
  },
  'custom in the older contract': {
    kind: 'custom',
    operation: 'mutate',
    config: { url: 'http://guard/check' },
    auth: {},
    asked: { url: /check/, body: /"requestBody"/ },
    passes: null,
    mutates: [{ messages: [{ content: 'x' }, { content: 'two' }] }, ['x', 'two']],
  },
  'custom in LiteLLM’s contract': {
    kind: 'custom',
    operation: 'mutate',
    config: { url: 'http://guard', contract: 'litellm' },
    auth: {},
    asked: {
      url: /^http:\/\/guard\/beta\/litellm_basic_guardrail_api$/,
      body: /"input_type":"request".*"texts":\["one","two"\]/,
    },
    passes: { action: 'NONE' },
    fails: { action: 'BLOCKED', blocked_reason: 'no' },
    mutates: [{ action: 'GUARDRAIL_INTERVENED', texts: ['a', 'b'] }, ['a', 'b']],
  },
  akto: {
    kind: 'akto',
    config: { base_url: 'https://guard.akto.io' },
    auth: { type: 'token', token: 't' },
    asked: {
      url: /^https:\/\/guard\.akto\.io\/api\/http-proxy\/truefoundry\?sync=true$/,
      header: ['authorization', 'Bearer t'],
      body: /"requestBody"/,
    },
    passes: { verdict: true },
    fails: { verdict: false },
  },
};

type Answered = { readonly status?: number; readonly body: string };

async function ask(
  { kind, config, auth = KEY, operation = 'validate', hook = 'llm-input' }: ServiceCase,
  answer: Answered | Error,
) {
  let asked: HttpRequest | undefined;
  const session = openSession({
    configs: [guardConfig({ kind, config, auth, operation, name: 'g/it' })],
    hook,
    timeoutMs: 50,
    http: (request) => {
      asked = request;
      if (answer instanceof Error) return Promise.reject(answer);
      return Promise.resolve({ status: answer.status ?? 200, headers: {}, body: Buffer.from(answer.body) });
    },
  });
  const plan = session.hook(hook)!;
  const question: GuardQuestion = {
    hook,
    exchange: session.exchange,
    texts: [
      { text: 'one', kind: 'text', role: 'user' },
      { text: 'two', kind: 'text', role: 'user' },
    ],
    request: {
      messages: [
        { role: 'user', content: 'one' },
        { role: 'user', content: 'two' },
      ],
    },
  };
  const mutated = await session.mutate(hook, plan.mutators, question);
  const refused = await session.validate(hook, plan.validators, question);
  const [result] = session.results;
  return { asked, mutated, refused, result: result?.result, detail: result?.detail };
}

test('a service that gives back the very texts that it was asked about lets them pass where its operation is validate', async () => {
  for (const [name, answer] of [
    ['custom in the older contract', { messages: [{ content: 'one' }, { content: 'two' }] }],
    ['custom in LiteLLM’s contract', { action: 'GUARDRAIL_INTERVENED', texts: ['one', 'two'] }],
  ] as const) {
    const { result } = await ask({ ...CASES[name]!, operation: 'validate' }, { body: JSON.stringify(answer) });
    assert.equal(result, 'passed', name);
  }
});

for (const [name, each] of Object.entries(CASES)) {
  describe(name, () => {
    test(`${name} is asked in its own form, and what it lets pass passes`, async () => {
      const { asked, result, detail } = await ask(each, { body: JSON.stringify(each.passes) });
      assert.equal(result, 'passed', detail);
      assert.match(asked!.url, each.asked.url);
      assert.match(String(asked!.body), each.asked.body);
      const { header } = each.asked;
      if (header) assert.equal(asked!.headers![asked!.headers!.indexOf(header[0]) + 1], header[1]);
    });

    test(`what ${name} refuses is refused`, async () => {
      if (each.fails === undefined) return;
      const { result, refused, mutated } = await ask(each, { body: JSON.stringify(each.fails) });
      assert.equal(result, 'failed');
      assert.ok(refused ?? !Array.isArray(mutated));
    });

    test(`what ${name} changes is changed`, async () => {
      if (each.mutates === undefined) return;
      const [answer, texts] = each.mutates;
      const { mutated, result } = await ask(each, { body: JSON.stringify(answer) });
      assert.equal(result, 'mutated');
      assert.deepEqual(mutated, texts);
    });

    test(`what ${name} would change is refused where its operation is validate`, async () => {
      if (each.mutates === undefined) return;
      const { refused, result } = await ask(
        { ...each, operation: 'validate' },
        { body: JSON.stringify(each.mutates[0]) },
      );
      assert.equal(result, 'failed');
      assert.equal(refused?.code, 'guardrail_blocked');
    });

    test(`a failure of ${name}, or an answer that nobody understands, is an error and no verdict`, async () => {
      for (const answer of [
        { status: 500, body: '{}' },
        { body: 'nonsense' },
        { body: '[1]' },
        { body: '{"what":1}' },
        new Error('gone'),
      ]) {
        const { result } = await ask(each, answer);
        assert.equal(result, 'error', JSON.stringify(answer));
      }
    });
  });
}
