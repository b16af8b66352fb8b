/** Guarded realtime sessions whose provider fails or does not end, and those of Gemini. */
import assert from 'node:assert/strict';
import { before, beforeEach, describe, test } from 'node:test';
import { disposeAfter } from '../support/dispose-after.ts';
import { eventually, KEY } from '../support/gateway.ts';
import {
  at,
  type GuardedRealtime,
  MAIL,
  SECRET,
  SSN,
  startGuardedRealtime,
  USAGE,
} from '../support/guarded-realtime.ts';
import { openRealtime } from '../support/realtime-client.ts';

const LIVE = '/live/google/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent';

let realtime: GuardedRealtime;
const open = (...asked: Parameters<GuardedRealtime['open']>) => realtime.open(...asked);
const latest = () => realtime.latest();

before(async () => {
  realtime = await startGuardedRealtime();
});
disposeAfter(() => [realtime]);
beforeEach(() => {
  realtime.provider.onMessage = () => {};
  realtime.judged.length = 0;
});

describe('a provider that fails', () => {
  test('an answer that is larger than guards may hold ends with an error that names the bound, and the session goes on', async () => {
    const client = await open('held');
    latest().socket.send('{"type":"response.created","response":{"id":"r1"}}');
    const piece = `{"type":"response.output_audio.delta","response_id":"r1","delta":"${'A'.repeat(20_000)}"}`;
    for (let sent = 0; sent < 8; sent += 1) latest().socket.send(piece);
    await eventually('the cancellation', () => latest().messages.length === 1);
    latest().socket.send('{"type":"response.done","response":{"id":"r1","output":[]}}');
    await eventually('the end', () => client.events('response.done').length === 1);
    assert.deepEqual(
      client.events().map(({ type }) => type),
      ['error', 'response.done'],
    );
    assert.match(client.events('error')[0].error.message, /limits\.max_translate_bytes: 65536/);
    assert.equal(client.end.code, undefined);
    client.socket.close();
  });

  test('more transcripts at once than are read beside each other end the session, which says why', async () => {
    const client = await open('main');
    const type = 'conversation.item.input_audio_transcription.delta';
    for (let item = 0; item < 40; item += 1) {
      latest().socket.send(JSON.stringify({ type, item_id: `u${item}`, content_index: 0, delta: 'AKIA' }));
    }
    await eventually('the end', () => client.end.code !== undefined);
    assert.match(client.end.reason!, /32 transcripts/);
    assert.doesNotMatch(client.received.map(({ text }) => text).join(), /AKIA/);
  });

  test('a provider that goes on after its answer was refused and cancelled is heard no more of it', async () => {
    const client = await open('main');
    const send = (event: object): void => latest().socket.send(JSON.stringify(event));
    send({ type: 'response.created', response: { id: 'r1' } });
    send({ type: 'response.output_text.delta', ...at, delta: `${SSN} and` });
    send({ type: 'response.output_text.delta', ...at, delta: ' more.' });
    await eventually('the refusal', () => client.events('error').length === 1);
    for (let count = 0; count < 50; count += 1)
      send({ type: 'response.output_text.delta', ...at, delta: 'still talking' });
    send({ type: 'response.created', response: { id: 'r2' } });
    send({ type: 'response.output_text.delta', ...at, response_id: 'r2', delta: 'Beside it.' });
    send({ type: 'response.done', response: { id: 'r2', output: [], usage: USAGE } });
    await eventually('the other answer', () => client.events('response.done').length === 1);
    const told = client.events('response.output_text.delta').map(({ delta }) => delta);
    assert.equal(told.join(''), 'Beside it.');
    client.socket.close();
  });
});

test('clients and providers that leave while guards are asked leave no session and no place in flight', async () => {
  const { gateway, judged } = realtime;
  await eventually('rest', async () => (await gateway.metric('sluice_in_flight')) === 0);
  const answered = await open('held');
  latest().socket.send('{"type":"response.created","response":{"id":"r1"}}');
  latest().socket.send(JSON.stringify({ type: 'response.done', response: { id: 'r1', output: [], usage: USAGE } }));
  const asking = await open('asked');
  const item = { type: 'message', role: 'user', content: [{ type: 'input_text', text: 'wait' }] };
  asking.say({ type: 'conversation.item.create', item });
  await eventually('both questions', () => judged.length === 2);
  const lost = await open('held');
  const side = latest();
  side.socket.send('{"type":"response.created","response":{"id":"r1"}}');
  side.socket.send(JSON.stringify({ type: 'response.done', response: { id: 'r1', output: [], usage: USAGE } }));
  await eventually('the third', () => judged.length === 3);
  answered.socket.terminate();
  asking.socket.terminate();
  side.socket.terminate();
  await eventually('the end of the lost one', () => lost.end.code !== undefined);
  await eventually('nothing is in flight', async () => (await gateway.metric('sluice_in_flight')) === 0);
  for (const { answer } of judged) answer({ verdict: true });
  const again = await open('main');
  again.socket.close();
});

describe('an answer that is judged in windows', () => {
  const SENTENCE = 'This is a sentence of fifty characters in all, see. ';
  const told = (client: Awaited<ReturnType<typeof open>>): string =>
    client
      .events('response.output_text.delta')
      .map(({ delta }) => delta)
      .join('');
  function begin(): void {
    latest().socket.send('{"type":"response.created","response":{"id":"r1"}}');
    for (let count = 0; count < 10; count += 1) {
      latest().socket.send(JSON.stringify({ type: 'response.output_text.delta', ...at, delta: SENTENCE }));
    }
  }

  test('words of a window leave once it has passed, before the answer is whole', async () => {
    const client = await open('windowed');
    begin();
    await eventually('the question', () => realtime.judged.length === 1);
    assert.equal(told(client), '');
    realtime.judged[0]!.answer({ verdict: true });
    await eventually('the window', () => told(client).length >= 400);
    assert.equal(client.events('response.done').length, 0);
    latest().socket.send(JSON.stringify({ type: 'response.done', response: { id: 'r1', output: [], usage: USAGE } }));
    await eventually('the question about the rest', () => realtime.judged.length === 2 || told(client).length === 520);
    realtime.judged[1]?.answer({ verdict: true });
    await eventually('the end', () => client.events('response.done').length === 1);
    assert.equal(told(client), SENTENCE.repeat(10));
    client.socket.close();
  });

  test('a window that is refused ends the answer, and the provider is listened to again', async () => {
    const client = await open('windowed');
    begin();
    const piece = `{"type":"response.output_audio.delta","response_id":"r1","delta":"${'A'.repeat(9_000)}"}`;
    await eventually('the question', () => realtime.judged.length === 1);
    for (let count = 0; count < 6; count += 1) latest().socket.send(piece);
    realtime.judged[0]!.answer({ verdict: false, message: 'No.' });
    await eventually('the refusal', () => client.events('error').length === 1);
    await eventually('the cancellation', () => latest().messages.length === 1);
    latest().socket.send('{"type":"response.done","response":{"id":"r1","output":[]}}');
    latest().socket.send('{"type":"rate_limits.updated"}');
    await eventually('what follows', () => client.events('rate_limits.updated').length === 1);
    assert.deepEqual(
      client.events().map(({ type }) => type),
      ['response.created', 'error', 'response.done', 'rate_limits.updated'],
    );
    client.socket.close();
  });
});

describe('a guarded session of Gemini', () => {
  async function live(id: string) {
    realtime.provider.onMessage = (side, text) => {
      if (text.includes('"setup"')) side.socket.send(Buffer.from('{"setupComplete":{}}'));
    };
    const client = await openRealtime(realtime.gateway.url, LIVE, { key: KEY, headers: { 'x-request-id': id } });
    client.say({ setup: { model: 'models/live' } });
    await eventually('the setup', () => client.received.length === 1);
    return client;
  }

  test('texts of both sides are read, whichever spelling their keys have', async () => {
    const client = await live('gemini-read');
    const turns = [{ role: 'user', parts: [{ text: `Write to ${MAIL}.` }] }];
    client.say({ clientContent: { turns, turnComplete: true } });
    client.say({ client_content: { turns, turn_complete: true } });
    client.say({ realtimeInput: { text: `Or to ${MAIL}.` } });
    client.say({ toolResponse: { functionResponses: [{ id: 'f', name: 'n', response: { mail: MAIL } }] } });
    client.socket.send('{"realtimeInput": {"audio": {"mimeType":"audio/pcm","data":"AAAA"}}}');
    await eventually('all', () => latest().messages.length === 6);
    for (const { text } of latest().messages) assert.doesNotMatch(text, /ada@/);
    assert.equal(
      latest().messages.at(-1)!.text,
      '{"realtimeInput": {"audio": {"mimeType":"audio/pcm","data":"AAAA"}}}',
    );
    const send = (message: object): void => latest().socket.send(Buffer.from(JSON.stringify(message)));
    send({ serverContent: { modelTurn: { parts: [{ inlineData: { mimeType: 'audio/pcm', data: 'AAAA' } }] } } });
    for (const text of `Key ${SECRET} ok`.match(/.{1,5}/g) ?? [])
      send({ serverContent: { outputTranscription: { text } } });
    send({ serverContent: { turnComplete: true } });
    send({ toolCall: { functionCalls: [{ id: 'f', name: 'n', args: { key: SECRET } }] } });
    await eventually('all of it', () => client.received.some(({ text }) => text.includes('toolCall')));
    const told = client.received.map(({ text }) => text).join('\n');
    assert.doesNotMatch(told, /AKIA|7EXAMPLE/);
    assert.ok(client.received.every(({ isBinary }) => isBinary));
    client.socket.close();
  });

  test('a refusal ends it with 1008 and the name of the guard, since the form has no errors', async () => {
    const client = await live('gemini-refused');
    latest().socket.send(
      Buffer.from(JSON.stringify({ serverContent: { modelTurn: { parts: [{ text: `It is ${SSN}.` }] } } })),
    );
    await eventually('the end', () => client.end.code !== undefined);
    assert.equal(client.end.code, 1008);
    assert.match(client.end.reason!, /g\/ssn/);
    assert.doesNotMatch(client.received.map(({ text }) => text).join(), /536/);
  });
});
