import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { openAiResponses } from '../../../../src/dialects/openai-responses/index.ts';
import { splitEvents } from '../../../conformance/recorded-chats.ts';
import { fromResponseStream, responseEventsOf } from '../../../support/response-answer.ts';

const context = { exchangeId: 'ex_1', model: 'account/model', includeUsage: true, created: 1 };
const fixture = (file: string) => readFileSync(join(import.meta.dirname, '../../../fixtures/responses', file));
const usage = { inputTokens: 9, outputTokens: 3 };

for (const file of ['text.sse', 'calls.sse']) {
  test(`a response that a budget ends anywhere is a whole incomplete one: ${file}`, () => {
    const events = splitEvents(fixture(file));
    // Behind the first two, which every response has, and before its own end.
    for (let at = 3; at < events.length; at += 1) {
      const follower = openAiResponses.followStream(context);
      let tokens = 0;
      for (const event of events.slice(0, at)) {
        const told = follower.read(event);
        assert.ok(told >= tokens, 'the count never falls');
        tokens = told;
      }
      // The event that was read last is not sent.
      const sent = Buffer.concat([...events.slice(0, at - 1), follower.ending(usage)]);
      const answer = fromResponseStream(sent);
      assert.equal(answer.finish, 'length', `cut at ${at}`);
      assert.deepEqual([answer.usage.input, answer.usage.output], [9, 3]);
      const { response } = responseEventsOf(sent).at(-1) as { response: { instructions: string } };
      assert.equal(response.instructions, 'Be brief.', 'what it repeats of its request stays');
    }
  });
}

test('a response that has ended is finished for its follower, and is not cut any more', () => {
  const follower = openAiResponses.followStream(context);
  for (const event of splitEvents(fixture('text.sse'))) follower.read(event);
  assert.ok(follower.finished);
});
