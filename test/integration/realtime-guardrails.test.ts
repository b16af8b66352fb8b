/** Guards of realtime sessions, over real sockets: what clients say, and what providers answer. */
import assert from 'node:assert/strict';
import { before, beforeEach, describe, test } from 'node:test';
import { disposeAfter } from '../support/dispose-after.ts';
import { eventually } from '../support/gateway.ts';
import {
  answer,
  at,
  type GuardedRealtime,
  MAIL,
  SECRET,
  SSN,
  startGuardedRealtime,
  USAGE,
  userSays,
} from '../support/guarded-realtime.ts';

let realtime: GuardedRealtime;
let judged: GuardedRealtime['judged'];
const open = (...asked: Parameters<GuardedRealtime['open']>) => realtime.open(...asked);
const latest = () => realtime.latest();
const records = (id: string) => realtime.gateway.records({ 'http.request.id': id });

before(async () => {
  realtime = await startGuardedRealtime();
  judged = realtime.judged;
});
disposeAfter(() => [realtime]);
beforeEach(() => {
  judged.length = 0;
  realtime.provider.onMessage = () => {};
});

describe('what a client says', () => {
  test('a text that a guard refuses does not pass, its client learns which one, and the session stays', async () => {
    const client = await open('main', 'said');
    client.say(userSays(`My number is ${SSN}.`));
    client.say({ type: 'session.update', session: { type: 'realtime', instructions: `Remember ${SSN}.` } });
    client.say({ type: 'response.create', response: { instructions: `Repeat ${SSN}.` } });
    client.say({ type: 'response.create', response: { input: [(userSays(SSN) as { item: object }).item] } });
    client.say({ type: 'something.new', words: { deep: [`It is ${SSN}.`] } });
    client.say(userSays('Hello.'));
    await eventually('the harmless one', () => latest().messages.length === 1);
    assert.match(latest().messages[0]!.text, /Hello/);
    await eventually('the refusals', () => client.events('error').length >= 5);
    const errors = client.events('error');
    assert.equal(errors.length, 5);
    for (const { error } of errors) {
      assert.equal(error.code, '400');
      assert.match(error.message, /g\/ssn/);
      assert.ok(!JSON.stringify(error).includes(SSN));
    }
    assert.equal(client.end.code, undefined);
    client.socket.close();
    await eventually('the records', () => records('said').length === 6);
    const refused = records('said').filter((each) => each['error.type'] === 'guardrail_blocked');
    assert.equal(refused.length, 5);
  });

  test('a value that a guard replaces reaches no provider, and comes back in what it answers in any later turn', async () => {
    const client = await open('main');
    client.say(userSays(`Write to ${MAIL}.`));
    await eventually('the text', () => latest().messages.length === 1);
    const [placeholder = ''] = /<\w+_1>/.exec(latest().messages[0]!.text) ?? [];
    assert.notEqual(placeholder, '');
    assert.ok(!latest().messages[0]!.text.includes(MAIL));
    for (const id of ['r1', 'r2']) {
      const count = client.events('response.done').length;
      answer(latest(), `I wrote to ${placeholder} today.`, { id });
      await eventually('the answer', () => client.events('response.done').length > count);
    }
    const texts = client.events('response.output_audio_transcript.delta').map(({ delta }) => delta);
    assert.equal(texts.join(''), `I wrote to ${MAIL} today.`.repeat(2));
    for (const { response } of client.events('response.done')) {
      assert.equal(response.output[0].content[0].transcript, `I wrote to ${MAIL} today.`);
    }
    client.socket.close();
  });

  test('no second key, escape, byte order or place of `type` takes a text past its guards', async () => {
    const client = await open('main');
    const item = `"item":{"type":"message","role":"user","content":[{"type":"input_text","text":"${SSN}"}]}`;
    const tries = [
      `{"type":"input_audio_buffer.append","audio":"AAAA","type":"conversation.item.create",${item}}`,
      `{"type":"input_audio_buffer.append","t\\u0079pe":"conversation.item.create",${item}}`,
      `{${item},"type":"conversation.item.create"}`,
      `{"type":"conversation.item.create",${item},"item":{"type":"message","role":"user","content":[]}}`,
      `  {"type" : "conversation.item.create",${item.replace(SSN, SSN.replace('5', '\\u0035'))}}`,
      `\ufeff{"type":"conversation.item.create",${item}}`,
    ];
    for (const each of tries) {
      client.socket.send(each);
      client.socket.send(Buffer.from(each), { binary: true });
    }
    client.socket.send('{"type":"input_audio_buffer.append","audio":"LAST"}');
    await eventually('the last one', () => latest().messages.some(({ text }) => text.includes('LAST')));
    for (const { text } of latest().messages) assert.doesNotMatch(text.replaceAll('\\u0035', '5'), /536-22/);
    client.socket.close();
  });

  test('audio and other messages without words pass as the bytes that came, in their place', async () => {
    const client = await open('main');
    const said = [
      '{ "type":"input_audio_buffer.append", "audio":"QUFB", "n": 1.50 }',
      JSON.stringify(userSays('one')),
      '{"type":"input_audio_buffer.commit"  }',
      JSON.stringify(userSays('two')),
    ];
    for (const each of said) client.socket.send(each);
    await eventually('all', () => latest().messages.length === said.length);
    assert.deepEqual(
      latest().messages.map(({ text }) => text),
      said,
    );
    client.socket.close();
  });

  test('messages behind a text wait for its guard, and pass behind it', async () => {
    const client = await open('asked');
    client.say(userSays('wait for me'));
    client.socket.send('{"type":"input_audio_buffer.append","audio":"AAAA"}');
    client.say({ type: 'response.create' });
    await eventually('the question', () => judged.length === 1);
    assert.equal(latest().messages.length, 0);
    judged[0]!.answer({ verdict: true });
    await eventually('all', () => latest().messages.length === 3);
    assert.deepEqual(
      latest().messages.map(({ text }) => JSON.parse(text).type),
      ['conversation.item.create', 'input_audio_buffer.append', 'response.create'],
    );
    client.socket.close();
  });

  test('guards that a client names itself read its session', async () => {
    const named = { 'x-tfy-guardrails': JSON.stringify({ llm_input_guardrails: ['g/ssn'] }) };
    const client = await open('held', 'named', named);
    client.say(userSays(SSN));
    await eventually('the refusal', () => client.events('error').length === 1);
    assert.equal(latest().messages.length, 0);
    client.socket.close();
    const unknown = { 'x-tfy-guardrails': JSON.stringify({ llm_input_guardrails: ['g/none'] }) };
    await assert.rejects(open('held', 'named', unknown), /unknown_guardrail/);
  });
});

describe('what a provider answers', () => {
  test('a secret that is cut into pieces leaves in none of them, nor in a copy of the whole', async () => {
    for (const size of [1, 3, 7, 50]) {
      const client = await open('main');
      answer(latest(), `It is ${SECRET}, I believe.`, { size });
      await eventually('the end', () => client.events('response.done').length === 1);
      const texts = client.events('response.output_audio_transcript.delta').map(({ delta }) => delta);
      assert.match(texts.join(''), /^It is .+, I believe\.$/);
      for (const { text } of client.received) assert.doesNotMatch(text, /AKIA|7EXAMPLE/);
      assert.ok(!texts.join('').includes('AKIA'));
      const audio = client.received.filter(({ text }) => text.includes('audio.delta'));
      assert.equal(audio.length, texts.length);
      assert.equal(
        audio[0]!.text,
        '{"type":"response.output_audio.delta", "event_id":"a0","response_id":"r1","delta":"QUFB"}',
      );
      client.socket.close();
    }
  });

  test('words without a secret pass as the bytes that came, in the order of the provider', async () => {
    const client = await open('main');
    const sent: string[] = [];
    const { socket } = latest();
    const original = socket.send.bind(socket);
    socket.send = ((data: string) => {
      sent.push(data);
      original(data);
    }) as typeof socket.send;
    answer(latest(), 'All is well, and nothing is hidden here.');
    await eventually('the end', () => client.events('response.done').length === 1);
    assert.deepEqual(
      client.received.map(({ text }) => text),
      sent,
    );
    client.socket.close();
  });

  test('an answer that a guard refuses ends with an error, is cancelled at its provider, and the session goes on', async () => {
    const client = await open('main', 'blocked');
    client.say({ type: 'response.create' });
    await eventually('the turn', () => latest().messages.length === 1);
    answer(latest(), `The number is ${SSN}, and it goes on and on.`);
    await eventually('the end', () => client.events('response.done').length === 1);
    await eventually('the cancellation', () => latest().messages.length === 2);
    assert.deepEqual(JSON.parse(latest().messages[1]!.text), { type: 'response.cancel', response_id: 'r1' });
    const all = client.received.map(({ text }) => text).join('\n');
    assert.doesNotMatch(all, /536-22-8726|on and on/);
    const [{ error }] = client.events('error');
    assert.equal(error.code, '400');
    assert.match(error.message, /g\/ssn/);
    const [{ response }] = client.events('response.done');
    assert.deepEqual(
      [response.status, response.status_details.reason, response.output],
      ['incomplete', 'content_filter', []],
    );
    assert.deepEqual(response.usage, USAGE);
    answer(latest(), 'Good morning.', { id: 'r2' });
    await eventually('the next answer', () => client.events('response.done').length === 2);
    assert.match(JSON.stringify(client.events('response.done')[1]), /Good morning/);
    client.socket.close();
    await eventually('the records', () => records('blocked').length === 2);
    const [first, second] = records('blocked');
    assert.deepEqual([first!['error.type'], first!['gen_ai.usage.output_tokens']], ['guardrail_blocked', 20]);
    assert.equal(second!['error.type'], undefined);
  });

  test('a refused text that stands in the last message alone is told in none', async () => {
    const client = await open('main');
    const item = { type: 'function_call', call_id: 'c', name: 'f', arguments: JSON.stringify({ ssn: SSN }) };
    latest().socket.send('{"type":"response.created","response":{"id":"r1"}}');
    latest().socket.send(
      JSON.stringify({ type: 'response.done', response: { id: 'r1', output: [item], usage: USAGE } }),
    );
    await eventually('the end', () => client.events('response.done').length === 1);
    assert.equal(client.events('error').length, 1);
    assert.doesNotMatch(client.received.map(({ text }) => text).join(), /536-22/);
    client.socket.close();
  });

  test('arguments of a tool call are read as an answer is', async () => {
    const client = await open('main');
    const send = (event: object): void => latest().socket.send(JSON.stringify(event));
    send({ type: 'response.created', response: { id: 'r1' } });
    const written = JSON.stringify({ key: SECRET });
    for (const delta of written.match(/.{1,4}/g) ?? []) {
      send({ type: 'response.function_call_arguments.delta', ...at, call_id: 'c', delta });
    }
    send({ type: 'response.function_call_arguments.done', ...at, call_id: 'c', arguments: written });
    send({ type: 'response.done', response: { id: 'r1', output: [], usage: USAGE } });
    await eventually('the end', () => client.events('response.done').length === 1);
    const told = client.events('response.function_call_arguments.delta').map(({ delta }) => delta);
    const [{ arguments: whole }] = client.events('response.function_call_arguments.done');
    for (const text of [told.join(''), whole]) {
      assert.doesNotMatch(text, /AKIA/);
      assert.equal(typeof JSON.parse(text).key, 'string');
    }
    client.socket.close();
  });

  test('a transcript of what was said is read beside the answer, whether it ends before or behind it', async () => {
    const client = await open('main');
    const send = (event: object): void => latest().socket.send(JSON.stringify(event));
    const type = 'conversation.item.input_audio_transcription';
    send({ type: `${type}.delta`, item_id: 'u1', content_index: 0, delta: `My key: ${SECRET.slice(0, 9)}` });
    answer(latest(), 'Let me see.');
    await eventually('the answer', () => client.events('response.done').length === 1);
    send({ type: `${type}.delta`, item_id: 'u1', content_index: 0, delta: `${SECRET.slice(9)} it is.` });
    send({ type: `${type}.completed`, item_id: 'u1', content_index: 0, transcript: `My key: ${SECRET} it is.` });
    await realtime.delivered(client);
    const all = client.received.map(({ text }) => text).join('\n');
    assert.doesNotMatch(all, /AKIA|7EXAMPLE/);
    const told = client.events(`${type}.delta`).map(({ delta }) => delta);
    assert.match(told.join(''), /^My key: .+ it is\.$/);
    assert.equal(client.events(`${type}.completed`)[0].transcript, told.join(''));
    client.socket.close();
  });

  test('nothing of an answer leaves before a guard of the whole has judged it, and what comes behind keeps its place', async () => {
    const client = await open('held');
    const { socket } = latest();
    answer(latest(), `I know ${SECRET}.`);
    socket.send('{"type":"input_audio_buffer.speech_started","item_id":"u2"}');
    answer(latest(), 'And this is next.', { id: 'r2' });
    await eventually('the question', () => judged.length === 1);
    assert.equal(client.received.length, 0);
    assert.ok(!JSON.stringify(judged[0]!.body).includes('AKIA'));
    judged[0]!.answer({ verdict: true });
    await eventually('the second question', () => judged.length === 2);
    assert.equal(client.events('response.done').length, 1);
    judged[1]!.answer({ verdict: true });
    await eventually('all', () => client.events('response.done').length === 2);
    const types = client.events().map(({ type }) => type);
    assert.ok(types.indexOf('input_audio_buffer.speech_started') > types.indexOf('response.done'));
    assert.equal(types.filter((each) => each === 'response.output_audio.delta').length, 16);
    client.socket.close();
  });

  test('an answer that a guard of the whole refuses is heard of nobody, and its record says so', async () => {
    const client = await open('held', 'held-refused');
    answer(latest(), 'Never say that.');
    await eventually('the question', () => judged.length === 1);
    judged[0]!.answer({ verdict: false, message: 'It was said.' });
    await eventually('the end', () => client.events('response.done').length === 1);
    assert.deepEqual(
      client.events().map(({ type }) => type),
      ['error', 'response.done'],
    );
    assert.doesNotMatch(client.received.map(({ text }) => text).join(), /Never/);
    await eventually('the record', () => records('held-refused').length === 1);
    assert.equal(records('held-refused')[0]!['error.type'], 'guardrail_blocked');
    client.socket.close();
  });
});
