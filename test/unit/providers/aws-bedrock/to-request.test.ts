import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GatewayError } from '../../../../src/core/errors.ts';
import { toInference } from '../../../../src/dialects/openai-chat/to-inference.ts';
import { markSignature } from '../../../../src/inference/signature.ts';
import { bedrockConverseWire } from '../../../../src/providers/aws-bedrock/wire.ts';
import { recordings } from '../../../support/recordings.ts';
import { exampleTarget } from '../../../support/targets.ts';
import { translateRequest } from '../../../support/translated-chat.ts';

const CLAUDE = 'us.anthropic.claude-sonnet-4-5-20250929-v1:0';
const NOVA = 'us.amazon.nova-2-lite-v1:0';
const hello = [{ role: 'user', content: 'Hello' }];
const helloTurn = { role: 'user', content: [{ text: 'Hello' }] };

function sent(body: object, model = CLAUDE) {
  const made = translateRequest(bedrockConverseWire, { messages: hello, ...body }, model);
  assert.ok(typeof made === 'string', `refused: ${made}`);
  return JSON.parse(made);
}

function refused(body: object, model = CLAUDE): [string, string | undefined] {
  const made = translateRequest(bedrockConverseWire, { messages: hello, ...body }, model);
  assert.ok(typeof made !== 'string', made.toString());
  return made;
}

const call = (id: string, name: string, text: string) => ({
  id,
  type: 'function',
  function: { name, arguments: text },
});
const f = { type: 'function', function: { name: 'f', description: 'does', parameters: { type: 'object' } } };
const fSpec = { toolSpec: { name: 'f', description: 'does', inputSchema: { json: { type: 'object' } } } };

test('ids, profiles and ARNs of models stand encoded in Bedrock’s path, and streams have one of their own', () => {
  const pathOf = (modelId: string, stream: boolean) =>
    bedrockConverseWire.path({ ...exampleTarget, modelId }, { stream });
  assert.equal(pathOf(CLAUDE, false), '/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse');
  assert.equal(pathOf(NOVA, true), '/model/us.amazon.nova-2-lite-v1%3A0/converse-stream');
  assert.equal(
    pathOf('arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2', false),
    '/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Aapplication-inference-profile%2Fa1b2/converse',
  );
});

test('the least request to Bedrock holds the messages and nothing that was not asked', () => {
  assert.deepEqual(sent({}), { messages: [helloTurn] });
});

test('a demand for a call goes to Claude on Bedrock without thinking before 4.8, and is refused where no model takes it', () => {
  const forced = { tools: [f], tool_choice: 'required', reasoning_effort: 'high' };
  const thinkingOf = (model: string) => sent(forced, model).additionalModelRequestFields;
  const effort = { output_config: { effort: 'high' } };
  assert.deepEqual(thinkingOf('anthropic.claude-opus-4-6-v1'), effort);
  assert.deepEqual(thinkingOf('anthropic.claude-opus-4-8'), {
    thinking: { type: 'adaptive', display: 'summarized' },
    ...effort,
  });
  assert.deepEqual(refused(forced, 'us.anthropic.claude-opus-5-5'), ['unsupported_parameter', 'tool_choice']);
});

test('limits and sampling are Bedrock’s inferenceConfig', () => {
  const body = sent({ max_completion_tokens: 9, temperature: 0.5, top_p: 0.9, stop: ['a', ' '] }, NOVA);
  assert.deepEqual(body.inferenceConfig, { maxTokens: 9, temperature: 0.5, topP: 0.9, stopSequences: ['a'] });
});

test('system and developer messages become `system`, and neighbours of one role one turn', () => {
  const body = sent({
    messages: [
      { role: 'system', content: 'one' },
      ...hello,
      { role: 'user', content: 'again' },
      { role: 'developer', content: 'two' },
    ],
  });
  assert.deepEqual(body.system, [{ text: 'one' }, { text: 'two' }]);
  assert.deepEqual(body.messages, [{ role: 'user', content: [{ text: 'Hello' }, { text: 'again' }] }]);
});

test('calls and their results are sent to Bedrock with every digit, and results stand first in their turn', () => {
  const { messages, toolConfig } = sent({
    tools: [f],
    messages: [
      ...hello,
      {
        role: 'assistant',
        content: null,
        tool_calls: [call('a', 'f', '{"n":12345678901234567890}'), call('b', 'f', '')],
      },
      { role: 'tool', tool_call_id: 'a', content: 'one' },
      { role: 'tool', tool_call_id: 'b', content: '' },
      { role: 'user', content: 'and?' },
    ],
  });
  assert.deepEqual(toolConfig.tools, [fSpec]);
  assert.deepEqual(
    messages[1].content.map((block: { toolUse: { toolUseId: string } }) => block.toolUse.toolUseId),
    ['a', 'b'],
  );
  assert.deepEqual(messages[2].content, [
    { toolResult: { toolUseId: 'a', content: [{ text: 'one' }] } },
    { toolResult: { toolUseId: 'b', content: [{ text: ' ' }] } },
    { text: 'and?' },
  ]);
  const text = translateRequest(
    bedrockConverseWire,
    { messages: [...hello, { role: 'assistant', tool_calls: [call('a', 'f', '{"n":12345678901234567890}')] }] },
    CLAUDE,
  );
  assert.ok(String(text).includes('"input":{"n":12345678901234567890}'));
});

test('tool choices are Bedrock’s own: none leaves the tools out, auto is what is done unasked', () => {
  const choice = (tool_choice: unknown) => sent({ tools: [f], tool_choice }).toolConfig?.toolChoice;
  assert.equal(choice('auto'), undefined);
  assert.deepEqual(choice('required'), { any: {} });
  assert.deepEqual(choice({ type: 'function', function: { name: 'f' } }), { tool: { name: 'f' } });
  assert.equal(sent({ tools: [f], tool_choice: 'none' }).toolConfig, undefined);
});

test('a conversation with calls has its tools though the client offers none any more', () => {
  const messages = [
    ...hello,
    { role: 'assistant', tool_calls: [call('a', 'f', '{}')] },
    { role: 'tool', tool_call_id: 'a', content: 'r' },
  ];
  const [{ toolSpec }] = sent({ messages }).toolConfig.tools;
  assert.equal(toolSpec.name, 'f');
});

test('images and documents are sent to Bedrock as bytes or from S3, and a document has a text beside it', () => {
  const user = (...content: object[]) => sent({ messages: [{ role: 'user', content }] }).messages[0].content;
  assert.deepEqual(
    user(
      { type: 'image_url', image_url: { url: 'data:image/jpeg;base64,AA' } },
      { type: 'image_url', image_url: { url: 's3://bucket/a.jpg' } },
      { type: 'file', file: { filename: 'Q1: report_final.pdf', file_data: 'data:application/pdf;base64,BB' } },
    ),
    [
      { image: { format: 'jpeg', source: { bytes: 'AA' } } },
      { image: { format: 'jpeg', source: { s3Location: { uri: 's3://bucket/a.jpg' } } } },
      { document: { format: 'pdf', name: 'Q1 report final', source: { bytes: 'BB' } } },
      { text: 'Document' },
    ],
  );
  const web = [{ type: 'image_url', image_url: { url: 'https://example.com/a.jpg' } }];
  assert.deepEqual(refused({ messages: [{ role: 'user', content: web }] }), ['unsupported_parameter', 'messages']);
});

test('cache marks become cache points behind what they mark, in system, tools and messages', () => {
  const cache_control = { type: 'ephemeral', ttl: '1h' };
  const body = sent({
    tools: [{ ...f, cache_control }],
    messages: [
      { role: 'system', content: [{ type: 'text', text: 's', cache_control }] },
      { role: 'user', content: [{ type: 'text', text: 'u', cache_control: { type: 'ephemeral' } }] },
    ],
  });
  const hour = { cachePoint: { type: 'default', ttl: '1h' } };
  assert.deepEqual(body.system, [{ text: 's' }, hour]);
  assert.deepEqual(body.toolConfig.tools, [fSpec, hour]);
  assert.deepEqual(body.messages[0].content, [{ text: 'u' }, { cachePoint: { type: 'default' } }]);
});

test('signed thinking goes back to Bedrock as it came, and what is unsigned or another vendor’s stays out', () => {
  const block = (signature: string | undefined) => ({ type: 'thinking', thinking: 'hm', signature });
  const turn = (...thinking_blocks: object[]) =>
    sent({ messages: [...hello, { role: 'assistant', content: 'Hi', thinking_blocks }, ...hello] }).messages[1].content;
  assert.deepEqual(turn(block('Sig+/=='), { type: 'redacted_thinking', data: 'ZZ' }), [
    { reasoningContent: { reasoningText: { text: 'hm', signature: 'Sig+/==' } } },
    { reasoningContent: { redactedContent: 'ZZ' } },
    { text: 'Hi' },
  ]);
  assert.deepEqual(turn(block(undefined), block(markSignature('gemini', 'Cg=='))), [{ text: 'Hi' }]);
});

test('reasoning that Claude signed goes to no model of another vendor on Bedrock', () => {
  const thinking_blocks = [
    { type: 'thinking', thinking: 'hm', signature: 'Sig+/==' },
    { type: 'redacted_thinking', data: 'ZZ' },
  ];
  const messages = [...hello, { role: 'assistant', content: 'Hi', thinking_blocks }, ...hello];
  const blocks = (model: string) => sent({ messages }, model).messages[1].content.length;
  const others = [NOVA, 'openai.gpt-oss-120b-1:0', 'us.deepseek.r1-v1:0', 'minimax.minimax-m2'];
  assert.deepEqual(others.map(blocks), [1, 1, 1, 1]);
  const unnamed = 'arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2';
  assert.deepEqual([CLAUDE, unnamed].map(blocks), [3, 3]);
});

test('every vendor on Bedrock is told the effort in its own words, and who has none is not told', () => {
  const fields = (model: string, reasoning_effort: string) =>
    sent({ reasoning_effort }, model).additionalModelRequestFields;
  assert.deepEqual(fields(CLAUDE, 'low'), { thinking: { type: 'enabled', budget_tokens: 2048 } });
  assert.deepEqual(fields('global.anthropic.claude-opus-4-8', 'high'), {
    thinking: { type: 'adaptive', display: 'summarized' },
    output_config: { effort: 'high' },
  });
  assert.deepEqual(fields(NOVA, 'medium'), { reasoningConfig: { type: 'enabled', maxReasoningEffort: 'medium' } });
  assert.deepEqual(fields('openai.gpt-oss-120b-1:0', 'high'), { reasoning_effort: 'high' });
  assert.deepEqual(fields('global.openai.gpt-5.6-sol', 'minimal'), { reasoning: { effort: 'low' } });
  assert.deepEqual(fields('deepseek.v3-v1:0', 'xhigh'), { reasoning_config: 'high' });
  assert.equal(fields('qwen.qwen3-32b-v1:0', 'high'), undefined);
});

test('behind an ARN that tells no model, the name of the integration says whose fields it takes', () => {
  const model = 'arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2';
  const request = toInference(Buffer.from(JSON.stringify({ messages: hello, top_k: 5 })), model);
  assert.ok(!(request instanceof GatewayError));
  const fieldsOf = (id: string) => {
    const made = bedrockConverseWire.translation!.toRequest(request, { id, modelId: model });
    assert.ok(!(made instanceof GatewayError));
    return JSON.parse(made.body.toString()).additionalModelRequestFields;
  };
  assert.deepEqual(fieldsOf('aws/nova-pro-team-a'), { inferenceConfig: { topK: 5 } });
  assert.deepEqual(fieldsOf('aws/team-a'), { top_k: 5 });
});

test('a JSON schema becomes Bedrock’s output configuration, and free JSON is refused', () => {
  const schema = { type: 'object', properties: { a: { type: 'string' } }, required: ['a'] };
  const response_format = { type: 'json_schema', json_schema: { name: 'x', schema } };
  const { type, structure } = sent({ response_format }).outputConfig.textFormat;
  assert.equal(type, 'json_schema');
  assert.equal(structure.jsonSchema.name, 'x');
  assert.deepEqual(JSON.parse(structure.jsonSchema.schema), { ...schema, additionalProperties: false });
  assert.deepEqual(refused({ response_format: { type: 'json_object' } }), ['unsupported_parameter', 'response_format']);
});

test('Bedrock’s own parameters pass, tiers and tags are its own, and the rest is for the model', () => {
  const guardrailConfig = { guardrailIdentifier: 'g', guardrailVersion: '1', trace: 'enabled' };
  const body = sent({
    guardrailConfig,
    performanceConfig: { latency: 'optimized' },
    service_tier: 'flex',
    metadata: { team: 'a' },
    additionalModelRequestFields: { x: 1 },
    anthropic_beta: ['b'],
    seed: 1,
    presence_penalty: 0.1,
    n: 1,
  });
  assert.deepEqual(body, {
    messages: [helloTurn],
    guardrailConfig,
    performanceConfig: { latency: 'optimized' },
    serviceTier: { type: 'flex' },
    requestMetadata: { team: 'a' },
    additionalModelRequestFields: { x: 1, anthropic_beta: ['b'] },
  });
  assert.equal(sent({ service_tier: 'auto' }).serviceTier, undefined);
});

for (const [param, value] of [
  ['n', 2],
  ['logprobs', true],
  ['logit_bias', { 1: 1 }],
  ['modalities', ['audio']],
  ['web_search_options', {}],
] as const) {
  test(`\`${param}\`, which Bedrock cannot express, is refused by name`, () => {
    assert.deepEqual(refused({ [param]: value }), ['unsupported_parameter', param]);
  });
}

test('tools that Bedrock runs itself go by their name, and other kinds are refused with their place', () => {
  const nova_grounding = { type: 'system_tool', name: 'nova_grounding' };
  assert.deepEqual(sent({ tools: [nova_grounding] }, NOVA).toolConfig.tools, [
    { systemTool: { name: 'nova_grounding' } },
  ]);
  assert.deepEqual(refused({ tools: [f, { type: 'web_search' }] }), ['unsupported_parameter', 'tools[1].type']);
});

/* What ruby_llm sent, against what we make of the same wish in OpenAI's words. */

interface Recorded {
  messages: { role: string; content: { text?: string }[] }[];
  system?: { text: string }[];
  inferenceConfig: object;
  toolConfig?: { tools: { toolSpec?: { name: string; description: string; inputSchema: { json: unknown } } }[] };
}

const plain = recordings('bedrock').flatMap(({ name, request }) => {
  if (!request.path.includes('/converse')) return [];
  try {
    const body: Recorded = JSON.parse(request.body ?? '');
    const texts = body.messages.every(({ content }) => content.every((block) => block.text?.trim()));
    const functions = (body.toolConfig?.tools ?? []).every(({ toolSpec }) => toolSpec);
    return texts &&
      functions &&
      !Object.hasOwn(body, 'additionalModelRequestFields') &&
      !Object.hasOwn(body, 'outputConfig')
      ? [{ name, body, model: request.path.split('/')[2]! }]
      : [];
  } catch {
    // Its body was shortened when it was recorded.
    return [];
  }
});

for (const { name, body, model } of plain) {
  test(`recorded request to Bedrock: the same is sent for the same wish: ${name}`, () => {
    const openAi = {
      messages: [
        ...(body.system ?? []).map(({ text }) => ({ role: 'system', content: text })),
        ...body.messages.map(({ role, content }) => ({
          role,
          content: content.map(({ text }) => ({ type: 'text', text })),
        })),
      ],
      ...body.inferenceConfig,
      ...(body.toolConfig && {
        tools: body.toolConfig.tools.map(({ toolSpec }) => ({
          type: 'function',
          function: {
            name: toolSpec!.name,
            description: toolSpec!.description,
            parameters: toolSpec!.inputSchema.json,
          },
        })),
      }),
    };
    const { inferenceConfig = {}, ...rest } = sent(openAi, model);
    assert.deepEqual({ ...rest, inferenceConfig }, body);
  });
}

test('documents of one name get names of their own, over all turns', () => {
  const file = { type: 'file', file: { filename: 'a.pdf', file_data: 'data:application/pdf;base64,BB' } };
  const { messages } = sent({
    messages: [
      { role: 'user', content: [file, file] },
      { role: 'assistant', content: 'Read.' },
      { role: 'user', content: [file] },
    ],
  });
  const names = messages.flatMap(({ content }: { content: { document?: { name: string } }[] }) =>
    content.flatMap(({ document }) => document?.name ?? []),
  );
  assert.deepEqual(names, ['a', 'a (2)', 'a (3)']);
});
