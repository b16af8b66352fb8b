import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { GuardKind } from '../../../src/config/guardrails/guard-schemas.ts';
import type { GuardConfig, Hook } from '../../../src/config/guardrails/guardrails.ts';
import type { HttpRequest } from '../../../src/core/http-client.ts';
import { guarded as chatForm } from '../../../src/dialects/openai-chat/guarded.ts';
import type { GuardQuestion } from '../../../src/guardrails/guard.ts';
import { guardConfig, mutated, openFilter, openSession } from './guarded.ts';

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

function deidentified(text: string): object {
  return { sdpFilterResult: { deidentifyResult: { matchState: 'MATCH_FOUND', data: { text } } } };
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
    passes: {
      results: [
        { flagged: true, categories: { violence: true }, category_scores: { violence: 0.3 } },
        { flagged: false, categories: { illicit: null }, category_scores: { illicit: 0 } },
      ],
    },
    fails: {
      results: [
        { flagged: false, categories: { violence: false }, category_scores: { violence: 0.1 } },
        { flagged: false, categories: { violence: false }, category_scores: { violence: 0.5 } },
      ],
    },
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
  'google-model-armor that takes sensitive data out': {
    kind: 'google-model-armor',
    operation: 'mutate',
    config: { project_id: 'p', location: 'us-central1', template_id: 't' },
    asked: { url: /:sanitizeUserPrompt$/, body: /^\{"userPromptData":\{"text":"one"\}\}$/ },
    passes: { sanitizationResult: { filterMatchState: 'NO_MATCH_FOUND', invocationResult: 'SUCCESS' } },
    fails: {
      sanitizationResult: {
        filterMatchState: 'MATCH_FOUND',
        filterResults: { rai: { raiFilterResult: { matchState: 'MATCH_FOUND' } }, sdp: deidentified('***') },
      },
    },
    mutates: [
      {
        sanitizationResult: {
          filterMatchState: 'MATCH_FOUND',
          filterResults: { rai: { raiFilterResult: { matchState: 'NO_MATCH_FOUND' } }, sdp: deidentified('***') },
          invocationResult: 'SUCCESS',
        },
      },
      ['***', '***'],
    ],
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
  answer: Answered | Error | ((request: HttpRequest) => Answered | Error),
  more: Partial<GuardQuestion> = {},
) {
  let asked: HttpRequest | undefined;
  const requests: HttpRequest[] = [];
  const session = openSession({
    configs: [guardConfig({ kind, config, auth, operation, name: 'g/it' })],
    hook,
    timeoutMs: 50,
    http: (request) => {
      asked ??= request;
      requests.push(request);
      const told = typeof answer === 'function' ? answer(request) : answer;
      if (told instanceof Error) return Promise.reject(told);
      return Promise.resolve({ status: told.status ?? 200, headers: {}, body: Buffer.from(told.body) });
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
  const made = await mutated(session, { ...question, ...more });
  const refused = made.refused ?? (await session.validate(hook, plan.validators, { ...question, ...more }));
  const [result] = session.results;
  return { asked, made, refused, requests, result: result?.result, detail: result?.detail };
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

    test(`a refusal of ${name} is a refusal`, async () => {
      if (each.fails === undefined) return;
      const { result, refused } = await ask(each, { body: JSON.stringify(each.fails) });
      assert.equal(result, 'failed');
      assert.equal(refused?.code, 'guardrail_blocked');
    });

    test(`a change of ${name} is made`, async () => {
      if (each.mutates === undefined) return;
      const [answer, texts] = each.mutates;
      const { made, result, detail } = await ask(each, { body: JSON.stringify(answer) });
      assert.equal(result, 'mutated', detail);
      assert.deepEqual(made.texts, texts);
    });

    test(`a text that ${name} would change is refused where its operation is validate`, async () => {
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

test('an answer of OpenAI about fewer texts than were asked about is an error, and not a pass', async () => {
  const { result } = await ask(CASES['openai-moderations']!, {
    body: JSON.stringify({ results: [{ flagged: false, categories: {}, category_scores: {} }] }),
  });
  assert.equal(result, 'error');
});

test('a policy of OPA that has no value allows nothing, and its decision is told', async () => {
  const opa = CASES['opa']!;
  for (const [answer, expected] of [
    [{}, 'failed'],
    [{ decision_id: 'd-1' }, 'failed'],
    [{ result: {} }, 'failed'],
    [{ result: false }, 'failed'],
    [{ result: true, decision_id: 'd-2' }, 'passed'],
    [{ result: 'yes' }, 'error'],
  ] as const) {
    const { result, detail = '' } = await ask(opa, { body: JSON.stringify(answer) });
    assert.equal(result, expected, JSON.stringify(answer));
    if ('decision_id' in answer && expected === 'failed') assert.ok(detail.includes('decision d-1'), detail);
  }
});

// biome-ignore lint/suspicious/noExplicitAny: what a service is asked is looked into freely here
type Json = any;

const said = (body: object): Answered => ({ body: JSON.stringify(body) });

test('Enkrypt takes out personal data where its policy finds nothing else, by a request for each text', async () => {
  const enkrypt = { ...CASES['enkrypt-ai']!, operation: 'mutate' } as const;
  const answer = (summary: object) => (request: HttpRequest) =>
    request.url.endsWith('/pii')
      ? said({ text: JSON.parse(String(request.body)).text.replace('two', '<NAME>'), key: 'k' })
      : said({ summary });
  const { made, requests, result } = await ask(enkrypt, answer({ pii: 1, toxicity: [] }));
  assert.equal(result, 'mutated');
  assert.deepEqual(made.texts, ['one', '<NAME>']);
  assert.equal(requests.length, 3);
  const { result: refused } = await ask(enkrypt, answer({ pii: 1, toxicity: ['insult'] }));
  assert.equal(refused, 'failed');
});

test('filters of Model Armor that have not all run are an error, though none of them matched', async () => {
  for (const invocationResult of ['PARTIAL', 'FAILURE']) {
    const body = { sanitizationResult: { filterMatchState: 'NO_MATCH_FOUND', invocationResult } };
    const { result } = await ask(CASES['google-model-armor']!, said(body));
    assert.equal(result, 'error', invocationResult);
  }
});

test('Cygnal fails what it calls an indirect injection, names broken rules, and an answer with its own error is none', async () => {
  const cygnal = CASES['grayswan-cygnal']!;
  assert.equal((await ask(cygnal, said({ violation: 0, ipi: true }))).result, 'failed');
  const broken = { violation: 0.8, violated_rule_descriptions: [{ rule: 2, name: 'No jailbreaks' }] };
  assert.equal((await ask(cygnal, said(broken))).detail, 'Found: No jailbreaks.');
  assert.equal((await ask(cygnal, said({ violation: 0, error: true, error_message: 'x' }))).result, 'error');
});

describe('texts that are longer than a service reads at once', () => {
  const long = [`${'Words of a sentence. '.repeat(2_000)}bomb`, 'short'];
  const more = { texts: long.map((text) => ({ text, kind: 'text' as const, role: 'user' })) };
  const limits: readonly [string, number, (body: Json) => readonly string[], object][] = [
    ['azure-content-safety', 10_000, ({ text }) => [text], { categoriesAnalysis: [] }],
    [
      'azure-prompt-shield',
      10_000,
      ({ userPrompt }) => [userPrompt],
      { userPromptAnalysis: { attackDetected: false }, documentsAnalysis: [] },
    ],
    [
      'azure-pii',
      5_120,
      (body) => (body.analysisInput.documents as { text: string }[]).map(({ text }) => text),
      { results: { documents: [], errors: [] } },
    ],
    [
      'google-model-armor',
      10_000,
      (body) => [body.userPromptData.text],
      { sanitizationResult: { filterMatchState: 'NO_MATCH_FOUND' } },
    ],
  ];
  for (const [name, maxCharacters, textsIn, passes] of limits) {
    test(`${name} is asked about all of a long text in pieces, none longer than ${maxCharacters} characters`, async () => {
      const { requests, result, detail } = await ask(CASES[name]!, said(passes), more);
      assert.equal(result, 'passed', detail);
      const asked = requests.flatMap(({ body }) => textsIn(JSON.parse(String(body))));
      for (const text of asked) assert.ok(text.length <= maxCharacters);
      assert.equal(asked.join('').replaceAll('\n', ''), long.join(''));
    });
  }

  test('a refusal of one piece is a refusal of the text, and a fault of one piece is no pass', async () => {
    const azure = CASES['azure-content-safety']!;
    const fails = said({ categoriesAnalysis: [{ category: 'Violence', severity: 6 }] });
    const bad = (request: HttpRequest) =>
      String(request.body).includes('bomb') ? fails : said({ categoriesAnalysis: [] });
    assert.equal((await ask(azure, bad, more)).result, 'failed');
    const gone = (request: HttpRequest) =>
      String(request.body).includes('bomb') ? { status: 429, body: '' } : said({ categoriesAnalysis: [] });
    assert.equal((await ask(azure, gone, more)).result, 'error');
  });

  test('a change of one piece changes its text there, and a text of too many pieces is an error that says so', async () => {
    const redact = (request: HttpRequest) => {
      const { documents } = JSON.parse(String(request.body)).analysisInput as {
        documents: { id: string; text: string }[];
      };
      const found = documents.flatMap(({ id, text }) =>
        text.includes('bomb')
          ? [{ id, redactedText: text.replace('bomb', '****'), entities: [{ category: 'X' }] }]
          : [],
      );
      return said({ results: { documents: found, errors: [] } });
    };
    const { made, result } = await ask(CASES['azure-pii']!, redact, more);
    assert.equal(result, 'mutated');
    assert.deepEqual(made.texts, [long[0]!.replace('bomb', '****'), 'short']);
    const endless = [{ text: 'x'.repeat(700_000), kind: 'text' as const, role: 'user' }];
    const { detail } = await ask(CASES['azure-content-safety']!, said({ categoriesAnalysis: [] }), { texts: endless });
    assert.match(detail ?? '', /70 requests.*64/);
  });
});

describe('a service of one’s own that changes more than texts', () => {
  const custom = CASES['custom in the reference product’s contract']!;
  const messages = [
    { role: 'system', content: 'one' },
    { role: 'user', content: 'two', name: 'ann' },
  ];
  const more = { request: { model: 'a/b', messages, tools: [{ type: 'x' }] } };
  const becomes = (result: object): Answered => said({ verdict: true, transformed: true, result });

  test('a message that it removes is gone, and one that it adds is there', async () => {
    for (const left of [[messages[1]], [], [...messages, { role: 'user', content: 'three' }]]) {
      const { made, result, detail } = await ask(custom, becomes({ model: 'other', messages: left }), more);
      assert.equal(result, 'mutated', detail);
      assert.deepEqual(made.parts, { messages: left });
    }
  });

  test('a part of a message that it removes, or takes for another kind, is not sent all the same', async () => {
    const parts = [
      { type: 'text', text: 'one' },
      { type: 'text', text: 'two' },
    ];
    const request = { messages: [{ role: 'user', content: parts }] };
    for (const content of [[parts[1]], 'two', null]) {
      const { made } = await ask(custom, becomes({ messages: [{ role: 'user', content }] }), { request });
      assert.deepEqual(made.parts, { messages: [{ role: 'user', content }] });
    }
  });

  test('fields that it does not know stay, where it changes texts alone', async () => {
    const left = [
      { role: 'system', content: 'one' },
      { role: 'user', content: '***' },
    ];
    const { made } = await ask(custom, becomes({ messages: left, tools: null }), more);
    assert.deepEqual([made.texts, made.parts], [['one', '***'], {}]);
  });

  test('a removal that a call cannot follow is refused, and the refusal says where', async () => {
    const request = { jsonrpc: '2.0', params: { name: 'echo', arguments: { first: 'one', second: 'two' } } };
    const { refused, detail } = await ask(
      custom,
      becomes({ params: { name: 'other', arguments: { second: 'two' } } }),
      {
        request,
      },
    );
    assert.equal(refused?.code, 'guardrail_blocked');
    assert.match(detail ?? '', /`params`/);
  });

  test('the second of two such services is told what the first one made', async () => {
    const bodies: string[] = [];
    const config = (name: string) => guardConfig({ kind: 'custom', name, config: { url: `http://${name}/` } });
    const session = openSession({
      configs: [config('a'), config('b')],
      http: ({ url, body }) => {
        bodies.push(String(body));
        const { responseBody } = JSON.parse(String(body));
        const [choice] = responseBody.choices;
        const content = `${choice.message.content} ${new URL(url).hostname}`;
        const result = { choices: [{ ...choice, message: { ...choice.message, content } }] };
        return Promise.resolve({ status: 200, headers: {}, body: Buffer.from(becomes(result).body) });
      },
    });
    const { filter, host } = openFilter(session, chatForm, false);
    filter.finish(
      Buffer.from(JSON.stringify({ choices: [{ index: 0, message: { role: 'assistant', content: 'x' } }] })),
    );
    while (!host.finished) await new Promise(setImmediate);
    assert.equal(JSON.parse(host.output().toString()).choices[0].message.content, 'x a b');
    assert.match(bodies[1]!, /"content":"x a"/);
  });
});
