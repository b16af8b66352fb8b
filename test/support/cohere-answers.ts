import type { ChatAnswer } from './chat-answer.ts';

interface Call {
  id: string;
  function: { name: string; arguments: string };
}
export interface CohereAnswer {
  id: string;
  message: { content?: { text?: string; thinking?: string }[]; tool_plan?: string; tool_calls?: Call[] };
  finish_reason: string;
  usage: {
    billed_units: Record<string, number>;
    tokens: Record<string, number>;
    cached_tokens?: number;
  };
}

/** All events of a stream as the one answer that they are pieces of, without any of our code. */
export function answerOfStream(text: string): CohereAnswer {
  const events = text
    .split(/\r?\n/)
    .filter((line) => line.startsWith('data: {'))
    .map((line) => JSON.parse(line.slice(6)));
  const content: { text: string; thinking: string }[] = [];
  const calls: Call[] = [];
  let plan = '';
  for (const { type, index, delta } of events) {
    const message = delta?.message;
    if (type === 'content-start') content[index] = { text: '', thinking: '' };
    if (type === 'content-delta') content[index]!.text += message.content.text ?? '';
    if (type === 'content-delta') content[index]!.thinking += message.content.thinking ?? '';
    if (type === 'tool-plan-delta') plan += message.tool_plan;
    if (type === 'tool-call-start') calls[index] = structuredClone(message.tool_calls);
    if (type === 'tool-call-delta') calls[index]!.function.arguments += message.tool_calls.function.arguments;
  }
  const { delta } = events.find(({ type }) => type === 'message-end');
  return { id: events[0].id, message: { content, tool_plan: plan, tool_calls: calls }, ...delta };
}

const finishWords: Record<string, string> = { COMPLETE: 'stop', MAX_TOKENS: 'length', TOOL_CALL: 'tool_calls' };

/** The recording's own words, turned into chat completions by hand. */
export function expected({ id, message, finish_reason: finish, usage }: CohereAnswer) {
  const { content = [], tool_plan: plan = '', tool_calls: calls = [] } = message;
  const { tokens, cached_tokens: cached } = usage;
  return {
    id,
    content: content.map(({ text }) => text ?? '').join(''),
    reasoning: plan + content.map(({ thinking }) => thinking ?? '').join(''),
    refusal: '',
    thinkingBlocks: [],
    toolCalls: calls.map((call) => ({
      id: call.id,
      name: call.function.name,
      arguments: call.function.arguments === '' ? '{}' : call.function.arguments,
    })),
    finish: finishWords[finish],
    input: tokens['input_tokens']! + (tokens['image_tokens'] ?? 0),
    output: tokens['output_tokens'],
    cached,
    reasoningTokens: tokens['reasoning_tokens'],
  };
}

interface ToldUsage {
  prompt_tokens: number;
  completion_tokens: number;
  prompt_tokens_details?: { cached_tokens?: number };
  completion_tokens_details?: { reasoning_tokens?: number };
}

export function told({ model: _model, usage, ...rest }: ChatAnswer) {
  const counts = usage as ToldUsage;
  return {
    ...rest,
    input: counts.prompt_tokens,
    output: counts.completion_tokens,
    cached: counts.prompt_tokens_details?.cached_tokens,
    reasoningTokens: counts.completion_tokens_details?.reasoning_tokens,
  };
}
