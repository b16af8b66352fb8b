import { readFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import { awsEvent } from './aws-events.ts';
import {
  chunkEvent,
  completion,
  DONE_EVENT,
  type FakeProvider,
  type ReceivedRequest,
  sendJson,
  startProvider,
  USAGE_EVENT,
} from './provider.ts';
import { openAccount, startEvents } from './scripted-provider.ts';

/* Five providers at one address, each in its own form; each streams a text, or calls the tool that it is given. */

const fixture = (file: string) => readFileSync(join(import.meta.dirname, '../fixtures', file));
/** What the provider of this form answers, whatever it is asked. */
export const passed = { whole: fixture('responses/text.json'), stream: fixture('responses/text.sse') };
const event = (value: { type: string; [field: string]: unknown }) =>
  `event: ${value.type}\ndata: ${JSON.stringify(value)}\n\n`;

type Reply = (response: ServerResponse, asked: Asked) => void;
interface Asked {
  readonly stream: boolean;
  readonly calls: boolean;
  readonly says: string;
  /** The result of a call went back. */
  readonly answersResult: boolean;
}

const chat: Reply = (response, { stream, calls, says }) => {
  const call = { id: 'call_1', type: 'function', function: { name: 'weather', arguments: '{"city":"Bern"}' } };
  if (!stream) {
    const message = calls ? { role: 'assistant', content: null, tool_calls: [call] } : undefined;
    const made = { ...completion(says) } as { choices: object[] };
    if (message) made.choices = [{ index: 0, message, finish_reason: 'tool_calls' }];
    sendJson(response, 200, made);
    return;
  }
  startEvents(response);
  if (calls) {
    response.write(chunkEvent({ tool_calls: [{ index: 0, ...call, function: { name: 'weather', arguments: '' } }] }));
    for (const piece of ['{"city"', ':"Bern"}']) {
      response.write(chunkEvent({ tool_calls: [{ index: 0, function: { arguments: piece } }] }));
    }
    response.end(chunkEvent({}, 'tool_calls') + USAGE_EVENT + DONE_EVENT);
  } else {
    const words = chunkEvent({ content: says.slice(0, 3) }) + chunkEvent({ content: says.slice(3) });
    response.end(words + chunkEvent({}, 'stop') + USAGE_EVENT + DONE_EVENT);
  }
};

const claude: Reply = (response, { stream, calls, says }) => {
  const usage = { input_tokens: 5, output_tokens: 7 };
  const content = calls
    ? [
        { type: 'thinking', thinking: 'I look it up.', signature: 'Sig+/==' },
        { type: 'tool_use', id: 'toolu_1', name: 'weather', input: { city: 'Bern' } },
      ]
    : [{ type: 'text', text: says }];
  const stop = calls ? 'tool_use' : 'end_turn';
  const message = {
    id: 'msg_1',
    type: 'message',
    role: 'assistant',
    model: 'claude',
    content,
    stop_reason: stop,
    usage,
  };
  if (!stream) {
    sendJson(response, 200, message);
    return;
  }
  startEvents(response);
  response.write(event({ type: 'message_start', message: { ...message, content: [], stop_reason: null } }));
  const deltas = calls
    ? [
        [
          { type: 'thinking', thinking: '', signature: '' },
          { type: 'thinking_delta', thinking: 'I look it up.' },
        ],
        [
          { ...content[1], input: {} },
          { type: 'input_json_delta', partial_json: '{"city":"Bern"}' },
        ],
      ]
    : [
        [
          { type: 'text', text: '' },
          { type: 'text_delta', text: says },
        ],
      ];
  for (const [index, [block, delta]] of deltas.entries()) {
    response.write(event({ type: 'content_block_start', index, content_block: block }));
    response.write(event({ type: 'content_block_delta', index, delta }));
    if (calls && index === 0) {
      const signature = { type: 'signature_delta', signature: 'Sig+/==' };
      response.write(event({ type: 'content_block_delta', index, delta: signature }));
    }
    response.write(event({ type: 'content_block_stop', index }));
  }
  response.write(event({ type: 'message_delta', delta: { stop_reason: stop }, usage: { output_tokens: 7 } }));
  response.end(event({ type: 'message_stop' }));
};

const gemini: Reply = (response, { stream, calls, says }) => {
  const parts = calls
    ? [{ functionCall: { name: 'weather', args: { city: 'Bern' } }, thoughtSignature: 'CiQB' }]
    : [{ text: says }];
  const usageMetadata = { promptTokenCount: 5, candidatesTokenCount: 7, totalTokenCount: 12 };
  const answer = { candidates: [{ content: { role: 'model', parts }, finishReason: 'STOP', index: 0 }], usageMetadata };
  if (!stream) sendJson(response, 200, answer);
  else {
    startEvents(response);
    response.end(`data: ${JSON.stringify(answer)}\r\n\r\n`);
  }
};

const bedrock: Reply = (response, { stream, calls, says }) => {
  const usage = { inputTokens: 5, outputTokens: 7, totalTokens: 12 };
  const toolUse = { toolUseId: 'tooluse_1', name: 'weather' };
  const stopReason = calls ? 'tool_use' : 'end_turn';
  if (!stream) {
    const content = calls ? [{ toolUse: { ...toolUse, input: { city: 'Bern' } } }] : [{ text: says }];
    sendJson(response, 200, { output: { message: { role: 'assistant', content } }, stopReason, usage });
    return;
  }
  response.writeHead(200, { 'content-type': 'application/vnd.amazon.eventstream' });
  const delta = calls ? { toolUse: { input: '{"city":"Bern"}' } } : { text: says };
  const frames = [
    awsEvent('messageStart', { role: 'assistant' }),
    ...(calls ? [awsEvent('contentBlockStart', { contentBlockIndex: 0, start: { toolUse } })] : []),
    awsEvent('contentBlockDelta', { contentBlockIndex: 0, delta }),
    awsEvent('contentBlockStop', { contentBlockIndex: 0 }),
    awsEvent('messageStop', { stopReason }),
    awsEvent('metadata', { usage }),
  ];
  response.end(Buffer.concat(frames));
};

const responses: Reply = (response, { stream, calls, says, answersResult }) => {
  const whole = JSON.parse(passed.whole.toString());
  const item = (type: string, more: object) => ({ id: `${type}_1`, type, status: 'completed', ...more });
  const text = { type: 'output_text', text: says, annotations: [], logprobs: [] };
  const call = { call_id: 'call_1', name: 'weather', arguments: '{"city":"Bern"}' };
  const output = calls
    ? [item('reasoning', { summary: [], encrypted_content: 'gAAA+/==' }), item('function_call', call)]
    : [item('message', { role: 'assistant', content: [text] })];
  const isScripted = calls || answersResult;
  const answered = { ...whole, output };
  if (!stream) {
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(isScripted ? JSON.stringify(answered) : passed.whole);
    return;
  }
  startEvents(response);
  response.end(isScripted ? responseEvents(answered) : passed.stream);
};

/** Each item with its one delta. */
// biome-ignore lint/suspicious/noExplicitAny: as JSON.parse gives it.
function responseEvents(answered: any): string {
  let number = 0;
  const told = (type: string, more: object) => event({ type, ...more, sequence_number: number++ });
  const begun = { ...answered, status: 'in_progress', output: [], usage: null };
  let events = told('response.created', { response: begun }) + told('response.in_progress', { response: begun });
  for (const [output_index, item] of answered.output.entries()) {
    const place = { item_id: item.id, output_index };
    const empty = { function_call: { arguments: '' }, message: { content: [] }, reasoning: {} }[item.type as 'message'];
    events += told('response.output_item.added', { output_index, item: { ...item, status: 'in_progress', ...empty } });
    if (item.type === 'function_call') {
      events += told('response.function_call_arguments.delta', { ...place, delta: item.arguments });
      events += told('response.function_call_arguments.done', { ...place, arguments: item.arguments });
    } else if (item.type === 'message') {
      const [part] = item.content;
      const at = { ...place, content_index: 0 };
      events += told('response.content_part.added', { ...at, part: { ...part, text: '' } });
      events += told('response.output_text.delta', { ...at, delta: part.text, logprobs: [] });
      events += told('response.output_text.done', { ...at, text: part.text, logprobs: [] });
      events += told('response.content_part.done', { ...at, part });
    }
    events += told('response.output_item.done', { output_index, item });
  }
  return events + told('response.completed', { response: answered });
}

/** What OpenAI refuses of items: results whose call it was not sent, and ids of answers that it does not keep. */
// biome-ignore lint/suspicious/noExplicitAny: as JSON.parse gives it.
function orphanOf({ input, previous_response_id: previous }: any): string | undefined {
  if (typeof input === 'string' || previous !== undefined) return undefined;
  // biome-ignore lint/suspicious/noExplicitAny: as JSON.parse gives it.
  const calls = new Set(input.flatMap(({ type, call_id: id }: any) => (type === 'function_call' ? [id] : [])));
  // biome-ignore lint/suspicious/noExplicitAny: as JSON.parse gives it.
  const orphan = input.find(({ type, call_id: id }: any) => type === 'function_call_output' && !calls.has(id));
  return orphan?.call_id;
}

function answer(request: ReceivedRequest, response: ServerResponse): void {
  const { path } = request;
  const body = JSON.parse(request.body.toString());
  const text = JSON.stringify(body);
  const asked = {
    stream: body.stream === true || /stream/i.test(path),
    // Not behind a result.
    says: /JSON/.test(text) ? '{"city":"Bern"}' : 'Grüezi',
    calls: /weather/.test(text) && !/12 degrees/.test(text),
    answersResult: /12 degrees/.test(text),
  };
  const orphan = path.endsWith('/responses') ? orphanOf(body) : undefined;
  if (text.includes('break off')) {
    startEvents(response);
    response.write(chunkEvent({ content: 'Half' }));
    setImmediate(() => response.destroy());
  } else if (orphan !== undefined) {
    const message = `No tool call found for function call output with call_id ${orphan}.`;
    sendJson(response, 400, { error: { message, type: 'invalid_request_error', param: 'input', code: null } });
  } else if (path.endsWith('/responses')) responses(response, asked);
  else if (path.endsWith('/chat/completions')) chat(response, asked);
  else if (path.endsWith('/messages')) claude(response, asked);
  else if (path.includes('enerateContent')) gemini(response, asked);
  else bedrock(response, asked);
}

export function startFiveProviders(): Promise<FakeProvider> {
  return startProvider(answer);
}

/** An account of each, and `own/gpt`, a model that is asked in the form of Responses. */
export function fiveAccounts({ origin }: FakeProvider): object[] {
  const key = (name: string) => ({ type: 'api-key', api_key: name });
  return [
    openAccount('own', `${origin}/v1`, {
      integrations: [
        { name: 'gpt', type: 'integration/model/openai', model_id: 'gpt-5-nano', model_types: ['chat', 'responses'] },
      ],
    }),
    openAccount('chats', `${origin}/v1`),
    { type: 'provider-account/anthropic', name: 'claude', base_url: origin, auth_data: key('sk-of-claude') },
    {
      type: 'provider-account/google-gemini',
      name: 'gemini',
      base_url: `${origin}/v1beta`,
      auth_data: { type: 'api-key', apiKey: 'sk-of-gemini' },
    },
    {
      type: 'provider-account/aws-bedrock',
      name: 'bedrock',
      region: 'us-east-1',
      base_url: origin,
      auth_data: key('sk-of-bedrock'),
    },
  ];
}

/** A model of each account but the one that has Responses. */
export const TRANSLATED = [
  'chats/gpt-oss',
  'claude/claude-sonnet-4-5',
  'gemini/gemini-2.5-flash',
  'bedrock/amazon.nova-pro-v1:0',
];
