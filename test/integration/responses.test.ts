import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import OpenAI from 'openai';
import { zodTextFormat } from 'openai/helpers/zod';
import type { ResponseStreamEvent } from 'openai/resources/responses/responses';
import { z } from 'zod';
import { disposeAfter } from '../support/dispose-after.ts';
import { fiveAccounts, passed, startFiveProviders, TRANSLATED } from '../support/five-providers.ts';
import { eventually, KEY, type RunningGateway, recordOf, startGateway } from '../support/gateway.ts';
import type { FakeProvider } from '../support/provider.ts';
import { fromResponseStream } from '../support/response-answer.ts';

let provider: FakeProvider;
let gateway: RunningGateway;
let client: OpenAI;

before(async () => {
  provider = await startFiveProviders();
  gateway = await startGateway({
    keys: [
      { name: 'test', key: KEY, subject: 'virtualaccount:test' },
      { name: 'other', key: 'other key', subject: 'user:other@example.com' },
    ],
    manifests: fiveAccounts(provider),
  });
  client = new OpenAI({ apiKey: KEY, baseURL: `${gateway.url}/v1`, maxRetries: 0 });
});
disposeAfter(() => [gateway, provider]);

const lastRequest = () => JSON.parse(provider.requests.at(-1)!.body.toString());
const weather = {
  type: 'function' as const,
  name: 'weather',
  description: 'of a city',
  parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
  strict: false,
};

describe('a provider that has this form', () => {
  test('a stream passes byte for byte, and its usage is in the record', async () => {
    const body = { model: 'own/gpt', input: 'Hi', stream: true, unknown: 1.5 };
    const response = await fetch(`${gateway.url}/v1/responses`, {
      method: 'POST',
      headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json', 'x-request-id': 'passed-1' },
      body: JSON.stringify(body),
    });
    assert.equal(response.status, 200);
    assert.deepEqual(Buffer.from(await response.arrayBuffer()), passed.stream);
    assert.equal(provider.requests.at(-1)!.path, '/v1/responses');
    assert.equal(provider.requests.at(-1)!.body.toString(), JSON.stringify({ ...body, model: 'gpt-5-nano' }));
    const record = await recordOf(gateway, 'passed-1');
    assert.equal(record['gen_ai.usage.input_tokens'], 69);
    assert.equal(record['gen_ai.usage.output_tokens'], 31);
    assert.equal(record['gen_ai.usage.cache_read.input_tokens'], 16);
  });

  test('a whole response passes byte for byte', async () => {
    const { data, response } = await client.responses.create({ model: 'own/gpt', input: 'Hi' }).withResponse();
    assert.match(data.output_text, /^A sluice/);
    assert.equal(response.headers.get('x-tfy-resolved-model'), 'own/gpt');
  });
});

for (const model of TRANSLATED) {
  describe(`asked of ${model}`, () => {
    test('a whole response is what the SDK reads', async () => {
      const response = await client.responses.create({
        model,
        instructions: 'Be brief.',
        input: [{ role: 'user', content: [{ type: 'input_text', text: 'Hi' }] }],
        max_output_tokens: 4_000,
        metadata: { team: 'a' },
        store: false,
      });
      assert.equal(response.output_text, 'Grüezi');
      assert.equal(response.status, 'completed');
      assert.equal(response.instructions, 'Be brief.');
      assert.deepEqual(response.metadata, { team: 'a' });
      assert.deepEqual([response.usage?.input_tokens, response.usage?.output_tokens], [5, 7]);
      assert.match(JSON.stringify(lastRequest()), /Be brief\./);
    });

    test('a stream has every event in its order, and the SDK puts it together', async () => {
      const raw = await client.responses.create({ model, input: 'Hi', stream: true }).asResponse();
      const bytes = Buffer.from(await raw.arrayBuffer());
      assert.equal(fromResponseStream(bytes).content, 'Grüezi');
      assert.equal(fromResponseStream(bytes).finish, 'stop');

      const seen: ResponseStreamEvent[] = [];
      const stream = client.responses.stream({ model, input: 'Hi' });
      stream.on('event', (each) => seen.push(each as ResponseStreamEvent));
      const response = await stream.finalResponse();
      assert.equal(response.output_text, 'Grüezi');
      assert.equal(seen.at(-1)?.type, 'response.completed');
      assert.deepEqual([response.usage?.input_tokens, response.usage?.output_tokens], [5, 7]);
    });

    test('a tool is called, and its result goes back with all that its vendor wants to see again', async () => {
      const input: OpenAI.Responses.ResponseInput = [{ role: 'user', content: 'How is it in Bern?' }];
      const asked = { model, tools: [weather], reasoning: { effort: 'low' as const }, max_output_tokens: 4_000 };
      const called = await client.responses.stream({ ...asked, input }).finalResponse();
      const call = called.output.find((item) => item.type === 'function_call');
      assert.ok(call);
      assert.equal(call.name, 'weather');
      assert.deepEqual(JSON.parse(call.arguments), { city: 'Bern' });
      assert.equal(called.status, 'completed');

      const result = { type: 'function_call_output' as const, call_id: call.call_id, output: '12 degrees' };
      const history = called.output as OpenAI.Responses.ResponseInput;
      const next = await client.responses.create({ ...asked, input: [...input, ...history, result] });
      assert.equal(next.output_text, 'Grüezi');
      const sent = JSON.stringify(lastRequest());
      assert.doesNotMatch(sent, /sluice/);
      if (model.startsWith('claude')) assert.match(sent, /"signature":"Sig\+\/=="/);
      if (model.startsWith('gemini')) assert.match(sent, /"thoughtSignature":"CiQB"/);
    });
  });
}

describe('of what only this form has', () => {
  test('structured output is parsed by the SDK', async () => {
    const format = zodTextFormat(z.object({ city: z.string() }), 'place');
    const failing = client.responses.parse({ model: TRANSLATED[0]!, input: 'Where?', text: { format } });
    // The provider of this test answers no JSON: the SDK tried to parse it.
    await assert.rejects(failing, SyntaxError);
    const { response_format: sent } = lastRequest();
    assert.equal(sent.json_schema.name, 'place');
    assert.deepEqual(sent.json_schema.schema.required, ['city']);
  });

  test('a tool that the provider of the model has not is refused by name', async () => {
    for (const model of TRANSLATED) {
      const asked = client.responses.create({
        model,
        input: 'Hi',
        tools: [{ type: 'file_search', vector_store_ids: [] }],
      });
      await assert.rejects(asked, { status: 400, param: 'tools[0].type' });
    }
  });

  test('a custom tool is a function elsewhere, and its call is a custom call again', async () => {
    const model = TRANSLATED[0]!;
    const custom = { type: 'custom' as const, name: 'weather', description: 'Takes a city.' };
    const response = await client.responses.create({ model, input: 'weather', tools: [custom] });
    const [call] = response.output;
    assert.equal(call?.type, 'custom_tool_call');
    assert.equal(lastRequest().tools[0].function.parameters.required[0], 'input');
    const history = response.output as OpenAI.Responses.ResponseInput;
    const result = { type: 'custom_tool_call_output' as const, call_id: 'call_1', output: '12 degrees' };
    await client.responses.create({
      model,
      input: [{ role: 'user', content: 'Hi' }, ...history, result],
      tools: [custom],
    });
    const { messages } = lastRequest();
    assert.equal(messages[1].tool_calls[0].function.name, 'weather');
    assert.equal(messages[2].role, 'tool');
  });

  test('a stream that breaks off ends with response.failed behind an error that the SDK raises', async () => {
    const model = TRANSLATED[0]!;
    const raw = await client.responses.create({ model, input: 'break off', stream: true }).asResponse();
    let text = '';
    await assert.rejects(async () => {
      for await (const bytes of raw.body!) text += Buffer.from(bytes).toString();
    });
    const events = text
      .split('\n')
      .filter((line) => line.startsWith('data: '))
      .map((line) => JSON.parse(line.slice(6)));
    const types = events.map(({ type }) => type);
    assert.deepEqual(types.slice(-2), ['response.output_item.done', 'response.failed']);
    assert.ok(types.includes('error'));
    assert.equal(events.at(-1).response.status, 'failed');
    assert.equal(events.at(-1).response.output[0].content[0].text, 'Half');

    const stream = await client.responses.create({ model, input: 'break off', stream: true });
    await assert.rejects(async () => {
      for await (const each of stream) assert.ok(each.type);
    }, OpenAI.APIError);
  });

  test('a missing field of a request is told in the words of its form', async () => {
    const asked = (body: object) => client.post('/responses', { body });
    await assert.rejects(asked({ model: TRANSLATED[0] }), { status: 400, param: 'input' });
    await assert.rejects(asked({ input: 'Hi' }), { status: 400, param: 'model' });
    await assert.rejects(asked({ model: TRANSLATED[0], input: [{ type: 'computer_call' }] }), {
      status: 400,
      param: 'input[0].type',
    });
    await assert.rejects(asked({ model: TRANSLATED[0], input: 'Hi', prompt: { id: 'pmpt_1' } }), {
      status: 400,
      param: 'prompt',
    });
  });
});

describe('an answer that is kept', () => {
  const [model] = TRANSLATED as [string];

  test('an answer is gone on from by its id alone, over any provider, which is sent all items', async () => {
    const first = await client.responses.create({ model, instructions: 'Be brief.', input: 'My name is Ada.' });
    const second = await client.responses.create({ model, input: 'Who am I?', previous_response_id: first.id });
    assert.equal(second.previous_response_id, first.id);
    const roles = (sent: { messages: { role: string; content: string }[] }) =>
      sent.messages.map(({ role, content }) => [role, content]);
    // Instructions are of one turn alone.
    const before = [
      ['user', 'My name is Ada.'],
      ['assistant', 'Grüezi'],
      ['user', 'Who am I?'],
    ];
    assert.deepEqual(roles(lastRequest()), before);
    const asked = { model: 'claude/claude-sonnet-4-5', input: 'Again?', previous_response_id: second.id };
    const streamed = await client.responses.stream(asked).finalResponse();
    assert.equal(lastRequest().messages.length, 5);
    const third = await client.responses.create({ model, input: 'And?', previous_response_id: streamed.id });
    assert.equal(third.output_text, 'Grüezi');
    assert.deepEqual(roles(lastRequest()).slice(0, 3), before);
    assert.equal(lastRequest().messages.length, 7);
  });

  test('an answer is shown with its items and deleted by its caller, and does not exist for anybody else', async () => {
    const input = [
      { role: 'user' as const, content: 'One' },
      { role: 'user' as const, content: 'Two' },
    ];
    const made = await client.responses.create({ model, input });
    const { output_text: _made, ...shown } = await client.responses.retrieve(made.id);
    const { output_text: _told, ...told } = made;
    assert.deepEqual(shown, told);
    const items = await client.responses.inputItems.list(made.id, { order: 'asc', limit: 1 });
    const all: unknown[] = [];
    for await (const item of items) all.push('content' in item && item.content);
    assert.deepEqual(
      all,
      ['One', 'Two'].map((text) => [{ type: 'input_text', text }]),
    );
    const other = new OpenAI({ apiKey: 'other key', baseURL: `${gateway.url}/v1`, maxRetries: 0 });
    await assert.rejects(other.responses.retrieve(made.id), { status: 404 });
    await assert.rejects(other.responses.delete(made.id), { status: 404 });
    await assert.rejects(other.responses.create({ model, input: 'Hi', previous_response_id: made.id }), {
      status: 400,
      param: 'previous_response_id',
      code: 'previous_response_not_found',
    });
    await client.responses.delete(made.id);
    await assert.rejects(client.responses.retrieve(made.id), { status: 404 });
  });

  test('an answer is not kept where the client says so', async () => {
    const made = await client.responses.create({ model, input: 'Hi', store: false });
    assert.equal(Reflect.get(made, 'store'), false);
    await assert.rejects(client.responses.retrieve(made.id), { status: 404 });
  });

  test('a conversation stays with the provider that made it where that has this form, and is sent whole to any other', async () => {
    const first = await client.responses.create({ model: 'own/gpt', input: 'Hi' });
    assert.match(first.id, /^resp_082ac/);
    await client.responses.create({ model: 'own/gpt', input: 'On', previous_response_id: first.id });
    assert.deepEqual(lastRequest(), { model: 'gpt-5-nano', input: 'On', previous_response_id: first.id });
    await client.responses.create({ model, input: 'On', previous_response_id: first.id });
    const texts = lastRequest().messages.map(({ content }: { content: string }) => content);
    assert.deepEqual([texts[0], texts[2]], ['Hi', 'On']);
    assert.match(texts[1], /^A sluice/);
    const elsewhere = await client.responses.create({ model, input: 'My name is Ada.' });
    await client.responses.create({ model: 'own/gpt', input: 'On', previous_response_id: elsewhere.id });
    const sent = lastRequest();
    assert.equal(sent.previous_response_id, null);
    assert.deepEqual(
      sent.input.map((item: { role: string; id?: string }) => [item.role, item.id]),
      [
        ['user', undefined],
        ['assistant', undefined],
        ['user', undefined],
      ],
    );
  });
});

interface SocketEvent {
  readonly type: string;
  readonly status?: number;
  readonly response?: { id: string; previous_response_id: string | null };
  readonly error?: { type: string; code: string };
}

/** A client of the socket that waits for one event after the other. */
class SocketClient {
  readonly #socket: WebSocket;
  readonly #events: SocketEvent[] = [];
  #wake = () => {};
  readonly closed: Promise<number>;

  constructor(key = KEY, url = gateway.url) {
    // Node's own client takes headers as well.
    const options = { headers: { authorization: `Bearer ${key}` } } as unknown as string[];
    this.#socket = new WebSocket(`${url.replace('http', 'ws')}/v1/responses`, options);
    this.#socket.addEventListener('message', ({ data }) => {
      this.#events.push(JSON.parse(String(data)));
      this.#wake();
    });
    this.closed = new Promise((resolve) => this.#socket.addEventListener('close', ({ code }) => resolve(code)));
  }

  async open(): Promise<this> {
    await new Promise((resolve, reject) => {
      this.#socket.addEventListener('open', resolve);
      this.#socket.addEventListener('error', reject);
    });
    return this;
  }

  send(event: object | string): void {
    this.#socket.send(typeof event === 'string' ? event : JSON.stringify(event));
  }

  /** Resolves with the first event: its turn is under way. */
  async begun(): Promise<void> {
    while (this.#events.length === 0) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** Events up to the one that ends a turn. */
  async turn(event?: object): Promise<SocketEvent[]> {
    if (event) this.send({ type: 'response.create', ...event });
    const seen: SocketEvent[] = [];
    for (;;) {
      const next = this.#events.shift();
      if (next === undefined) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        continue;
      }
      seen.push(next);
      if (/^(response\.(completed|incomplete|failed)|error)$/.test(next.type)) return seen;
    }
  }

  close(): void {
    this.#socket.close();
  }
}

describe('the WebSocket of responses', () => {
  const typesOf = (events: SocketEvent[]) => events.map(({ type }) => type);

  for (const model of ['own/gpt', ...TRANSLATED]) {
    test(`a socket carries many turns to ${model}, each going on from the last, which is kept nowhere else`, async () => {
      const client = await new SocketClient().open();
      const first = await client.turn({ model, input: 'My name is Ada.', store: false });
      assert.deepEqual(typesOf(first).slice(0, 2), ['response.created', 'response.in_progress']);
      const { id } = first.at(-1)!.response!;
      const second = await client.turn({ model, input: 'Who am I?', previous_response_id: id, store: false });
      assert.equal(second.at(-1)?.type, 'response.completed');
      const sent = JSON.stringify(lastRequest());
      assert.match(sent, /Ada/);
      assert.match(sent, /Who am I/);
      client.close();
    });
  }

  test('a socket refuses in its own words and goes on: an unknown answer, no JSON, another event, a bad model', async () => {
    const client = await new SocketClient().open();
    const [unknown] = await client.turn({ model: TRANSLATED[0], input: 'Hi', previous_response_id: 'resp_x' });
    assert.equal(unknown?.status, 400);
    assert.equal(unknown?.error?.code, 'previous_response_not_found');
    for (const wrong of ['{', '{"type":"session.update"}']) {
      client.send(wrong);
      assert.equal((await client.turn())[0]?.error?.type, 'invalid_request_error');
    }
    const [absent] = await client.turn({ model: 'nobody/has-it', input: 'Hi' });
    assert.equal(absent?.status, 404);
    const good = await client.turn({ model: TRANSLATED[0], input: 'Hi' });
    assert.equal(good.at(-1)?.type, 'response.completed');
    client.close();
  });

  test('a socket runs one turn after the other, and a turn may be prepared without an answer', async () => {
    const client = await new SocketClient().open();
    const [model] = TRANSLATED;
    const warm = await client.turn({ model, input: 'My name is Ada.', generate: false });
    assert.deepEqual(typesOf(warm), ['response.created', 'response.completed']);
    const { id } = warm.at(-1)!.response!;
    client.send({ type: 'response.create', model, input: 'Who am I?', previous_response_id: id });
    client.send({ type: 'response.create', model, input: 'And now?' });
    const turns = [await client.turn(), await client.turn()];
    assert.equal(turns[0]!.at(-1)?.response?.previous_response_id, id);
    const bodies = provider.requests.slice(-2).map(({ body }) => JSON.parse(body.toString()).messages.length);
    assert.deepEqual(bodies, [2, 1]);
    client.close();
  });

  test('a socket is not opened without a key, which is told as 401, and a plain GET of its path is refused', async () => {
    await assert.rejects(new SocketClient('wrong').open());
    const response = await fetch(`${gateway.url}/v1/responses`, { headers: { authorization: `Bearer ${KEY}` } });
    assert.equal(response.status, 405);
  });

  test('a stop of the gateway closes a socket that is idle, and lets a turn end', async () => {
    const own = await startGateway();
    const idle = await new SocketClient(KEY, own.url).open();
    const busy = await new SocketClient(KEY, own.url).open();
    busy.send({ type: 'response.create', model: 'demo/chat', input: 'What is a sluice?' });
    // A gateway that stops reads no turn that has not come.
    await busy.begun();
    const stopped = own.stop();
    const turn = await busy.turn();
    assert.ok(['response.completed', 'error'].includes(turn.at(-1)!.type));
    assert.deepEqual(await Promise.all([idle.closed, busy.closed]), [1001, 1001]);
    assert.equal(await stopped, 0);
  });

  test('a turn is in the records as any exchange', async () => {
    const client = await new SocketClient().open();
    await client.turn({ model: TRANSLATED[0], input: 'Hi' });
    client.close();
    await client.closed;
    const turns = { 'http.route': '/responses', 'http.request.method': 'GET' };
    await eventually('a record of the turn', () => gateway.records(turns).length > 0);
  });
});
