import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  BedrockRuntimeClient,
  ConverseCommand,
  type ConverseCommandInput,
  ConverseStreamCommand,
} from '@aws-sdk/client-bedrock-runtime';
import { bedrockConverseWire } from '../../../../src/providers/aws-bedrock/wire.ts';
import { exampleTarget } from '../../../support/targets.ts';
import { translateRequest } from '../../../support/translated-chat.ts';

/* AWS's SDK writes only fields that Converse has: what it makes of our request must be our request. */

const CLAUDE = 'us.anthropic.claude-sonnet-4-5-20250929-v1:0';

class Captured extends Error {
  readonly path: string;
  readonly body: unknown;
  constructor(path: string, body: unknown) {
    super('captured');
    this.path = path;
    this.body = body;
  }
}

const client = new BedrockRuntimeClient({
  region: 'eu-west-1',
  credentials: { accessKeyId: 'AKID', secretAccessKey: 's' },
  maxAttempts: 1,
  requestHandler: {
    handle: (request: { path: string; body: string | Uint8Array }) =>
      Promise.reject(new Captured(request.path, JSON.parse(Buffer.from(request.body).toString()))),
  },
});

/** Base64 in JSON is bytes for the SDK. */
function withBytes(value: unknown, key = ''): unknown {
  if ((key === 'bytes' || key === 'redactedContent') && typeof value === 'string') return Buffer.from(value, 'base64');
  if (Array.isArray(value)) return value.map((each) => withBytes(each));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, withBytes(each, name)]));
}

async function sentBySdk(input: unknown, stream: boolean): Promise<Captured> {
  // Checked as no type could: whatever the SDK does not know it leaves out.
  const known = { modelId: CLAUDE, ...(withBytes(input) as Omit<ConverseCommandInput, 'modelId'>) };
  const sent = stream ? client.send(new ConverseStreamCommand(known)) : client.send(new ConverseCommand(known));
  const error: unknown = await sent.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof Captured, String(error));
  return error;
}

const cache_control = { type: 'ephemeral', ttl: '1h' };
const call = { id: 'a', type: 'function', function: { name: 'f', arguments: '{"n":1}' } };
const REQUESTS: Record<string, object> = {
  'the least request': { messages: [{ role: 'user', content: 'Hello' }] },
  'sampling, tiers, tags and guardrails': {
    messages: [
      { role: 'system', content: [{ type: 'text', text: 's', cache_control }] },
      { role: 'user', content: 'Hello' },
    ],
    max_tokens: 5,
    temperature: 0.5,
    stop: ['a'],
    service_tier: 'priority',
    metadata: { team: 'a' },
    guardrailConfig: { guardrailIdentifier: 'g', guardrailVersion: '1', trace: 'enabled' },
    performanceConfig: { latency: 'optimized' },
    additionalModelResponseFieldPaths: ['/stop_sequence'],
    anthropic_beta: ['b'],
  },
  'images, documents and audio': {
    messages: [
      {
        role: 'user',
        content: [
          { type: 'text', text: 'look', cache_control },
          { type: 'image_url', image_url: { url: 'data:image/png;base64,AAAA' } },
          { type: 'image_url', image_url: { url: 's3://bucket/a.webp' } },
          { type: 'file', file: { filename: 'a.pdf', file_data: 'data:application/pdf;base64,AAAA' } },
          { type: 'input_audio', input_audio: { data: 'AAAA', format: 'mp3' } },
        ],
      },
    ],
  },
  'tools, calls, results and signed thinking': {
    tools: [
      {
        type: 'function',
        function: { name: 'f', description: 'd', parameters: { type: 'object' }, strict: true },
        cache_control,
      },
      { type: 'system_tool', name: 'nova_grounding' },
    ],
    tool_choice: { type: 'function', function: { name: 'f' } },
    messages: [
      { role: 'user', content: 'Hello' },
      {
        role: 'assistant',
        tool_calls: [call],
        thinking_blocks: [
          { type: 'thinking', thinking: 'hm', signature: 'Sig+/==' },
          { type: 'redacted_thinking', data: 'AAAA' },
        ],
      },
      { role: 'tool', tool_call_id: 'a', content: 'r', is_error: true },
    ],
  },
  'thinking and any tool': {
    tools: [{ type: 'function', function: { name: 'f', parameters: { type: 'object' } } }],
    tool_choice: 'required',
    reasoning_effort: 'high',
    messages: [{ role: 'user', content: 'Hello' }],
  },
  'a JSON schema': {
    messages: [{ role: 'user', content: 'Hello' }],
    response_format: { type: 'json_schema', json_schema: { name: 'x', schema: { type: 'object', properties: {} } } },
  },
};

for (const [name, request] of Object.entries(REQUESTS)) {
  test(`AWS's SDK sends the same for ${name}, by the same path`, async () => {
    const made = translateRequest(bedrockConverseWire, request, CLAUDE);
    assert.ok(typeof made === 'string', String(made));
    for (const stream of [false, true]) {
      const { path, body } = await sentBySdk(JSON.parse(made), stream);
      assert.deepEqual(body, JSON.parse(made));
      assert.equal(path, bedrockConverseWire.path({ ...exampleTarget, modelId: CLAUDE }, { stream }));
    }
  });
}
