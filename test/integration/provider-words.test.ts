import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { ask, ChatStream, messages } from '../support/chat-client.ts';
import { disposeAfter } from '../support/dispose-after.ts';
import { eventually, type RunningGateway, recordOf, startGateway } from '../support/gateway.ts';
import { chunkEvent, type FakeProvider, sendJson, startProvider } from '../support/provider.ts';
import { openAccount, startEvents } from '../support/scripted-provider.ts';

/** A part of the prompt that the provider quotes. */
const QUOTED = 'the patient is called Erika';

let provider: FakeProvider;
let gateway: RunningGateway;
before(async () => {
  provider = await startProvider((request, response) => {
    const { max_tokens: status, stream } = JSON.parse(request.body.toString());
    const error = { message: `Refused: ${QUOTED}`, type: 'policy', code: 'policy' };
    if (!stream) {
      sendJson(response, status, { error });
      return;
    }
    startEvents(response);
    response.end(chunkEvent({ content: 'hello' }) + `data: ${JSON.stringify({ error })}\n\n`);
  });
  gateway = await startGateway({ manifests: [openAccount('p', `${provider.origin}/v1`)] });
});
disposeAfter(() => [gateway, provider]);

/** Log lines of one whole answer and of one stream that failed, by the label of their requests. */
async function failed(label: string, status: number): Promise<string> {
  const headers = { 'x-request-id': `${label}-${status}` };
  const whole = await ask(gateway, { model: 'p/m', messages, max_tokens: status }, { headers });
  assert.equal((await whole.text()).includes(QUOTED), status !== 401, 'the client hears of it but for our credential');
  const streamed = { 'x-request-id': `${label}-${status}-stream` };
  const stream = new ChatStream(gateway, { model: 'p/m', messages, stream: true }, { headers: streamed });
  assert.equal(await stream.ended(), 'cut');
  assert.ok(stream.text().includes(QUOTED));
  const lines = [headers, streamed].map((each) => recordOf(gateway, each['x-request-id']));
  return JSON.stringify(await Promise.all(lines));
}

test('log.provider_words says whether log and ledger hold what a provider says of a failure', async () => {
  for (const status of [400, 500]) assert.ok((await failed('kept', status)).includes(QUOTED));
  await gateway.configure([openAccount('p', `${provider.origin}/v1`)], { log: { provider_words: false } });
  await eventually('the new configuration is in force', () => gateway.output().includes('configuration reloaded'));
  const before = gateway.output().length;
  for (const status of [400, 401, 500]) assert.ok(!(await failed('left-out', status)).includes(QUOTED));
  const said = gateway.output().slice(before);
  assert.ok(!said.includes(QUOTED), 'neither a line of the access log nor a warning');
  assert.match(said, /a provider refused the credential of an account/);
  assert.match(said, /"error.message":"The provider answered 401\."/);
});
