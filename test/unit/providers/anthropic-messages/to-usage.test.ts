import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toUsage } from '../../../../src/providers/anthropic-messages/to-usage.ts';

const counts = { input_tokens: 20, output_tokens: 5 };

test('a compaction pass is added to the counts, a pass of the model itself is in them, one of another model is told apart', () => {
  const pass = (type: string) => ({ type, input_tokens: 1000, output_tokens: 10 });
  const usage = toUsage({ ...counts, iterations: [pass('compaction'), pass('message'), pass('advisor_message')] });
  assert.deepEqual([usage?.inputTokens, usage?.outputTokens], [1020, 15]);
  assert.deepEqual(usage?.rare, { otherModelPasses: 1 });
});

test('searches are counted, other tools by their calls, and what costs its tokens alone is not', () => {
  const tools = { web_search_requests: 2, web_fetch_requests: 3, code_execution_requests: 4, some_new_requests: 5 };
  assert.deepEqual(toUsage({ ...counts, server_tool_use: tools })?.rare, { webSearchRequests: 2, toolRequests: 9 });
  assert.equal(toUsage({ ...counts, server_tool_use: { web_search_requests: 0 } })?.rare, undefined);
});

test('tier, speed and geography are told with the counts, and without any they are no usage', () => {
  const terms = { service_tier: 'priority', speed: 'fast', inference_geo: 'us' };
  assert.deepEqual(toUsage({ ...counts, ...terms })?.servedAs, {
    serviceTier: 'priority',
    speed: 'fast',
    inferenceGeo: 'us',
  });
  assert.equal(toUsage(terms), undefined);
});
