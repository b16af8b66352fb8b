import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GatewayError } from '../../../src/core/errors.ts';
import { anthropicCountTokens } from '../../../src/dialects/anthropic-messages/count-tokens.ts';
import { anthropicMessages } from '../../../src/dialects/anthropic-messages/index.ts';
import type { Dialect } from '../../../src/dialects/dialect.ts';
import { allPlugs } from '../../../src/plugs.ts';
import { outbound, wholeBody } from '../../../src/relay/outbound.ts';
import { NO_WAITS } from '../../../src/routing/route-plan.ts';

const PLUGS = allPlugs();

/* Clouds that serve Claude take Anthropic's form wrapped: what is not about the wrapping stays as the client wrote it. */

const BETAS =
  'claude-code-20250219, oauth-2025-04-20,interleaved-thinking-2025-05-14,advanced-tool-use-2025-11-20,context-1m-2025-08-07';

function sent(manifest: object & { type: string }, model: string, text: string, dialect: Dialect = anthropicMessages) {
  const plug = PLUGS.find(({ type }) => type === manifest.type);
  // A token that never ends stands for the cloud's own.
  const tokens = new Map(
    (plug?.tokenSources?.(plug.schema.parse(manifest)) ?? []).map(({ id, account }) => [
      id,
      { id, account, values: { token: 't' }, fetchedAtMs: 0, expiresAtMs: Number.MAX_SAFE_INTEGER },
    ]),
  );
  const target = plug?.open(plug.schema.parse(manifest), tokens as never).target(model);
  assert.ok(target);
  const body = Buffer.from(text);
  const scan = dialect.scan({} as never);
  scan.advance(body, body.length);
  const peeked = scan.result(body);
  assert.ok(!(peeked instanceof GatewayError));
  const headers = { forwardable: { 'anthropic-beta': BETAS, 'anthropic-version': '2023-06-01' } } as never;
  const step = { target, overrides: undefined, waits: NO_WAITS } as never;
  const heavy = () => Promise.reject(new Error('nothing is large'));
  const { signal } = new AbortController();
  const made = outbound({ headers, body, peeked, cacheMarker: undefined }, dialect, step, heavy, { signal });
  assert.ok(!(made instanceof Promise) && !(made instanceof GatewayError), JSON.stringify(made));
  return {
    path: made.path,
    body: wholeBody(made.body).toString(),
    betas: made.headers[made.headers.indexOf('anthropic-beta') + 1],
    hasBetas: made.headers.includes('anthropic-beta'),
  };
}

const vertex = { type: 'provider-account/google-vertex', name: 'v', project_id: 'p', region: 'us-east5' };
const bedrock = {
  type: 'provider-account/aws-bedrock',
  name: 'b',
  region: 'us-east-1',
  auth_data: { type: 'access-key-based', access_key_id: 'A', secret_access_key: 'B' },
};

test('Claude on Vertex has its model in the path, its version in the body, and the betas that Vertex knows', () => {
  const { path, body, betas } = sent(
    vertex,
    'claude-sonnet-4-5@20250929',
    '{"stream":true , "messages":[{"role":"user","content":"hi"}],"max_tokens":1.0e1,"model":"v/claude","x":[1.0]}',
  );
  assert.match(path, /publishers\/anthropic\/models\/claude-sonnet-4-5@20250929:streamRawPredict$/);
  assert.equal(
    body,
    '{"anthropic_version":"vertex-2023-10-16","stream":true , "messages":[{"role":"user","content":"hi"}],"max_tokens":1.0e1,"x":[1.0]}',
  );
  assert.equal(betas, 'interleaved-thinking-2025-05-14,tool-search-tool-2025-10-19,context-1m-2025-08-07');
});

test('tokens of Claude on Vertex are counted at one address, with the model in the body', () => {
  const { path, body } = sent(
    vertex,
    'claude-sonnet-4-5',
    '{"model":"v/claude-sonnet-4-5","messages":[]}',
    anthropicCountTokens,
  );
  assert.match(path, /models\/count-tokens:rawPredict$/);
  assert.equal(body, '{"model":"claude-sonnet-4-5","messages":[]}');
});

test('Claude on Bedrock has model and stream in the path, and version and betas in the body', () => {
  for (const [stream, verb] of [
    ['true', 'invoke-with-response-stream'],
    ['false', 'invoke'],
  ] as const) {
    const text = `{"model":"b/m","stream":${stream},"max_tokens":1,"messages":[{"role":"user","content":"hi"}],"anthropic_version":"x"}`;
    const { path, body, hasBetas } = sent(bedrock, 'anthropic.claude-haiku-4-5-20251001-v1:0', text);
    assert.equal(path, `/model/anthropic.claude-haiku-4-5-20251001-v1%3A0/${verb}`);
    assert.equal(hasBetas, false);
    assert.deepEqual(JSON.parse(body), {
      anthropic_version: 'bedrock-2023-05-31',
      anthropic_beta: [
        'interleaved-thinking-2025-05-14',
        'tool-search-tool-2025-10-19',
        'tool-examples-2025-10-29',
        'context-1m-2025-08-07',
      ],
      max_tokens: 1,
      messages: [{ role: 'user', content: 'hi' }],
    });
  }
});

test('a profile that does not say what it leads to is asked by Converse', () => {
  const arn = 'arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1';
  const { path } = sent(bedrock, arn, '{"model":"b/m","max_tokens":1,"messages":[{"role":"user","content":"hi"}]}');
  assert.match(path, /\/converse$/);
});
