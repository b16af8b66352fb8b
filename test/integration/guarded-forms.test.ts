import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { after, before, describe, test } from 'node:test';
import { KEY, type RunningGateway, startGateway } from '../support/gateway.ts';
import { type FakeProvider, type ReceivedRequest, sendJson, startProvider } from '../support/provider.ts';
import { openAccount, startEvents } from '../support/scripted-provider.ts';

/*
 * Symptom: a rule about all models did not hold for recordings and forms with images: their prompts went out as they came, and
 * transcripts came back as they were. Root cause: guards read JSON, and these requests are forms, these answers captions.
 */

const SECRET = `ghp_${'a1'.repeat(18)}`;
const CARD = '4111 1111 1111 1111';
/** What somebody says, in pieces as segments have them. */
const SPOKEN = ['My card is 4111 1111', ' 1111 1111 and my', ' name is Ann.'];
const TEXT = SPOKEN.join('');
const SRT = `1\n00:00:00,000 --> 00:00:02,500\nMy card is ${CARD}.\n\n`;

let provider: FakeProvider;
let gateway: RunningGateway;

async function formOf({ headers, body }: ReceivedRequest): Promise<FormData> {
  return new Response(new Uint8Array(body), { headers: { 'content-type': headers['content-type']! } }).formData();
}

async function answer(request: ReceivedRequest, response: ServerResponse): Promise<void> {
  if (request.path.includes('/images/')) {
    sendJson(response, 200, { created: 1, data: [{ b64_json: 'AAAA' }] });
    return;
  }
  const form = await formOf(request);
  const format = form.get('response_format');
  if (form.get('stream') === 'true') {
    startEvents(response);
    for (const delta of ['My card is 41', '11 1111 1111', ' 1111 and', ' more'])
      response.write(
        `data: ${JSON.stringify({ type: 'transcript.text.delta', delta, logprobs: [{ token: delta }] })}\n\n`,
      );
    response.write(
      `data: ${JSON.stringify({ type: 'transcript.text.done', text: `My card is ${CARD} and more` })}\n\n`,
    );
    response.end('data: [DONE]\n\n');
  } else if (format === 'srt') {
    response.writeHead(200, { 'content-type': 'text/plain; charset=utf-8' });
    response.end(SRT);
  } else if (format === 'verbose_json') {
    const segments = SPOKEN.map((text, id) => ({ id, start: id, end: id + 1, text, tokens: [1, 2] }));
    const words = TEXT.split(' ').map((word, at) => ({ word, start: at, end: at + 1 }));
    sendJson(response, 200, { task: 'transcribe', language: 'english', duration: 3, text: TEXT, segments, words });
  } else sendJson(response, 200, { text: TEXT, usage: { type: 'duration', seconds: 3 } });
}

before(async () => {
  provider = await startProvider((request, response) => void answer(request, response));
  const guard = (type: string, name: string, more: object) => ({
    type: `integration/guardrail-config/${type}`,
    name,
    ...more,
  });
  const pii = (name: string, more: object) =>
    guard('tfy-pii', name, { operation: 'mutate', config: { pii_categories: ['CreditCardNumber', 'Email'], ...more } });
  gateway = await startGateway({
    manifests: [
      openAccount('own', `${provider.origin}/v1`),
      {
        type: 'provider-account/guardrail-config-group',
        name: 'g',
        integrations: [
          guard('secret-detection', 'secrets', { operation: 'mutate' }),
          pii('cards', {}),
          pii('pseudonyms', { pseudonyms: true }),
          guard('regex', 'words', { operation: 'validate', config: { custom_patterns: [{ pattern: 'tiger|Ann' }] } }),
        ],
      },
      {
        type: 'gateway-guardrails-config',
        rules: [
          {
            id: 'all',
            when: {},
            llm_input_guardrails: ['g/secrets', 'g/pseudonyms'],
            llm_output_guardrails: ['g/cards'],
            mcp_tool_pre_invoke_guardrails: [],
            mcp_tool_post_invoke_guardrails: [],
          },
        ],
      },
    ],
  });
});
after(async () => {
  await gateway?.[Symbol.asyncDispose]();
  await provider?.[Symbol.asyncDispose]();
});

/** A recording of so many bytes; fields stand before it, `behind` it the others. */
function recording(bytes: number, fields: Record<string, string>, behind: Record<string, string> = {}): FormData {
  const form = new FormData();
  for (const [name, value] of Object.entries({ model: 'own/whisper-1', ...fields })) form.append(name, value);
  form.append('file', new Blob([Buffer.alloc(bytes, 7)]), 'a.wav');
  for (const [name, value] of Object.entries(behind)) form.append(name, value);
  return form;
}

function send(path: string, body: FormData | object, headers: Record<string, string> = {}): Promise<Response> {
  const isForm = body instanceof FormData;
  return fetch(`${gateway.url}/v1${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${KEY}`, ...(!isForm && { 'content-type': 'application/json' }), ...headers },
    body: isForm ? body : JSON.stringify(body),
  });
}

const naming = (hook: string, ...names: string[]) => ({ 'x-tfy-guardrails': JSON.stringify({ [hook]: names }) });
const KEPT = 1_000;
const SPOOLED = 700_000;

describe('prompts of forms', () => {
  for (const bytes of [KEPT, SPOOLED]) {
    test(`guards change the prompt of a recording of ${bytes} bytes, before or behind it, and the recording stays as it is`, async () => {
      for (const place of ['before', 'behind']) {
        const prompt = { prompt: `It says ${SECRET}.`, language: 'en' };
        const form = place === 'before' ? recording(bytes, prompt) : recording(bytes, {}, prompt);
        const response = await send('/audio/transcriptions', form);
        assert.equal(response.status, 200, await response.clone().text());
        const sent = await formOf(provider.requests.at(-1)!);
        assert.equal(sent.get('prompt'), 'It says [REDACTED].');
        assert.deepEqual([sent.get('model'), sent.get('language')], ['whisper-1', 'en']);
        const file = sent.get('file') as File;
        assert.deepEqual(Buffer.from(await file.arrayBuffer()), Buffer.alloc(bytes, 7));
      }
    });

    test(`a guard that a request names refuses the prompt of a recording of ${bytes} bytes, and nothing is sent`, async () => {
      const before = provider.requests.length;
      const form = recording(bytes, {}, { prompt: 'a tiger' });
      const response = await send('/audio/transcriptions', form, naming('llm_input_guardrails', 'g/words'));
      assert.equal(response.status, 400);
      assert.match(await response.text(), /g\/words/);
      assert.equal(provider.requests.length, before);
    });
  }

  test('guards change the prompt of an edit of an image, as a form and as JSON', async () => {
    const form = new FormData();
    form.append('model', 'own/gpt-image-1');
    form.append('prompt', `Write ${SECRET} on it.`);
    form.append('image', new Blob([Buffer.alloc(100, 7)]), 'a.png');
    const asForm = await send('/images/edits', form);
    assert.equal(asForm.status, 200, await asForm.clone().text());
    assert.equal((await formOf(provider.requests.at(-1)!)).get('prompt'), 'Write [REDACTED] on it.');
    const images = [{ image_url: 'https://example.com/a.png' }];
    const asJson = await send('/images/edits', { model: 'own/gpt-image-1', prompt: `Write ${SECRET}.`, images });
    assert.equal(asJson.status, 200, await asJson.clone().text());
    assert.equal(JSON.parse(provider.requests.at(-1)!.body.toString()).prompt, 'Write [REDACTED].');
  });

  test('a form that has its prompt twice, or in other letters, is refused: a provider might read the other one', async () => {
    for (const name of ['prompt', 'Prompt']) {
      const form = recording(KEPT, { prompt: 'fine' });
      form.append(name, SECRET);
      const response = await send('/audio/transcriptions', form);
      assert.equal(response.status, 400);
      assert.match(await response.text(), /ambiguous_parameter/);
    }
  });
});

describe('transcripts', () => {
  test('guards read a transcript in each of its formats', async () => {
    const json = await (await send('/audio/transcriptions', recording(KEPT, {}))).json();
    assert.deepEqual(json, {
      text: 'My card is [CreditCardNumber] and my name is Ann.',
      usage: { type: 'duration', seconds: 3 },
    });
    const srt = await (await send('/audio/transcriptions', recording(KEPT, { response_format: 'srt' }))).text();
    assert.equal(srt, SRT.replace(CARD, '[CreditCardNumber]'));
  });

  test('a find over two segments of a transcript is gone from both, and times of single words with it', async () => {
    const response = await send('/audio/translations', recording(KEPT, { response_format: 'verbose_json' }));
    const text = await response.text();
    const told = JSON.parse(text) as { text: string; words: object[]; segments: { text: string; tokens: number[] }[] };
    assert.equal(told.text, 'My card is [CreditCardNumber] and my name is Ann.');
    assert.deepEqual(
      told.segments.map(({ text, tokens }) => [text, tokens.length]),
      [
        ['My card is [CreditCardNumber]', 0],
        [' and my', 0],
        [' name is Ann.', 2],
      ],
    );
    assert.deepEqual(told.words, []);
    assert.ok(!text.includes('1111'));
  });

  test('guards read the events of a transcript, wherever they cut what is found', async () => {
    const text = await (await send('/audio/transcriptions', recording(KEPT, { stream: 'true' }))).text();
    const events = [...text.matchAll(/^data: (\{.*\})$/gm)].map(([, json]) => JSON.parse(json!));
    const said = events.map(({ delta = '' }) => delta).join('');
    assert.equal(said, 'My card is [CreditCardNumber] and more');
    assert.equal(events.at(-1).text, said);
    assert.ok(!text.includes('1111'), text);
    assert.match(text, /\[DONE\]/);
  });

  test('a guard that a request names refuses a transcript, whole or as captions', async () => {
    for (const format of ['json', 'verbose_json']) {
      const form = recording(KEPT, { response_format: format });
      const response = await send('/audio/transcriptions', form, naming('llm_output_guardrails', 'g/words'));
      assert.equal(response.status, 400);
      assert.match(await response.text(), /g\/words/);
    }
  });

  test('a value that was taken out of a prompt stands in the transcript again', async () => {
    const response = await send('/audio/transcriptions', recording(KEPT, { prompt: 'ann@example.com' }));
    assert.equal(response.status, 200);
    assert.equal((await formOf(provider.requests.at(-1)!)).get('prompt'), '<Email_1>');
  });
});
