import type { ChatAnswer } from './chat-answer.ts';

interface Block {
  text?: string;
  toolUse?: { toolUseId: string; name: string; input: unknown; type?: string };
  reasoningContent?: { reasoningText?: { text: string; signature?: string }; redactedContent?: string };
  citationsContent?: { content: { text: string }[] };
}
export interface BedrockAnswer {
  output: { message: { content: Block[] } };
  stopReason: string;
  usage: Record<string, number | undefined>;
}

/** Puts a stream together as AWS's documentation says, with a frame reader of its own. */
export function answerOfStream(bytes: Buffer): BedrockAnswer {
  const content: Block[] = [];
  const inputs: string[] = [];
  let stopReason = '';
  let usage = {};
  for (let at = 0; at < bytes.length; at += bytes.readUInt32BE(at)) {
    const headersEnd = at + 12 + bytes.readUInt32BE(at + 4);
    const name = /:event-type\x07..([A-Za-z]+)/s.exec(bytes.toString('latin1', at + 12, headersEnd))?.[1];
    const value = JSON.parse(bytes.toString('utf8', headersEnd, at + bytes.readUInt32BE(at) - 4));
    const index = value.contentBlockIndex;
    if (name === 'contentBlockStart') content[index] = { ...value.start };
    if (name === 'messageStop') ({ stopReason } = value);
    if (name === 'metadata') ({ usage } = value);
    if (name !== 'contentBlockDelta') continue;
    content[index] ??= {};
    const block = content[index];
    const { text, toolUse, reasoningContent } = value.delta;
    if (text !== undefined) block.text = (block.text ?? '') + text;
    if (toolUse) inputs[index] = (inputs[index] ?? '') + toolUse.input;
    if (reasoningContent) {
      block.reasoningContent ??= { reasoningText: { text: '' } };
      block.reasoningContent.reasoningText!.text += reasoningContent.text ?? '';
      if (reasoningContent.signature) block.reasoningContent.reasoningText!.signature = reasoningContent.signature;
    }
  }
  for (const [index, block] of content.entries()) {
    if (block?.toolUse) block.toolUse.input = JSON.parse(inputs[index] ?? '{}');
  }
  return { output: { message: { content: content.filter((block) => block !== undefined) } }, stopReason, usage };
}

const finishWords: Record<string, string> = {
  end_turn: 'stop',
  max_tokens: 'length',
  tool_use: 'tool_calls',
  guardrail_intervened: 'content_filter',
};

/** The recording's own words, turned into chat completions by hand. */
export function expected({ output, stopReason, usage }: BedrockAnswer) {
  const { content } = output.message;
  const cached = usage['cacheReadInputTokens'] ?? 0;
  const written = usage['cacheWriteInputTokens'] ?? 0;
  return {
    content: content
      .map((block) => (block.text ?? '') + (block.citationsContent?.content ?? []).map(({ text }) => text).join(''))
      .join(''),
    reasoning: content.map((block) => block.reasoningContent?.reasoningText?.text ?? '').join(''),
    refusal: '',
    signatures: content.flatMap(
      ({ reasoningContent: said }) => said?.reasoningText?.signature ?? said?.redactedContent ?? [],
    ),
    toolCalls: content.flatMap(({ toolUse }) =>
      toolUse && toolUse.type !== 'server_tool_use'
        ? [{ id: toolUse.toolUseId, name: toolUse.name, arguments: toolUse.input }]
        : [],
    ),
    finish: finishWords[stopReason],
    input: usage['inputTokens']! + cached + written,
    output: usage['outputTokens'],
    cached: usage['cacheReadInputTokens'],
  };
}

interface ToldUsage {
  prompt_tokens: number;
  completion_tokens: number;
  prompt_tokens_details?: { cached_tokens?: number };
}

export function told({ id: _id, model: _model, usage, thinkingBlocks, toolCalls, ...rest }: ChatAnswer) {
  const counts = usage as ToldUsage;
  return {
    ...rest,
    signatures: (thinkingBlocks as { signature?: string; data?: string }[]).map(
      ({ signature, data }) => signature ?? data,
    ),
    toolCalls: toolCalls.map((call) => ({ ...call, arguments: JSON.parse(call.arguments) })),
    input: counts.prompt_tokens,
    output: counts.completion_tokens,
    cached: counts.prompt_tokens_details?.cached_tokens,
  };
}
