import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { anthropicMessages } from '../../../../src/dialects/anthropic-messages/index.ts';
import { messageOf } from '../../../support/messages-stream.ts';

const context = { exchangeId: 'ex_1', model: 'account/model', includeUsage: true, created: 1 };
const folder = join(import.meta.dirname, '../../../fixtures/anthropic');

for (const file of readdirSync(folder).filter((name) => name.endsWith('.sse') && name !== 'error.sse')) {
  test(`the stream ${file}, ended in front of any of its events, is a whole message that stopped for its length`, () => {
    const events = readFileSync(join(folder, file), 'utf8')
      .split(/(?<=\n\n)/)
      .filter((event) => event !== '');
    for (let sent = 0; sent < events.length; sent += 1) {
      const follower = anthropicMessages.followStream(context);
      let before = 0;
      for (const event of events.slice(0, sent + 1)) {
        const tokens = follower.read(Buffer.from(event));
        assert.ok(tokens >= before);
        before = tokens;
      }
      if (follower.finished) break;
      const ending = follower.ending({ inputTokens: 7, outputTokens: 3 });
      const said = events.slice(0, sent).join('') + ending;
      const { stop, usage } = messageOf(said);
      assert.equal(stop, 'max_tokens');
      assert.equal(usage['output_tokens'], 3);
    }
  });
}
