import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';
import type { InferenceEvent } from '../../inference/event.ts';
import { mergeUsage, type Usage } from '../../inference/usage.ts';
import type { AnswerContext } from '../dialect.ts';
import { finishWord } from './finish-word.ts';
import { usageObject } from './usage-object.ts';

interface ToolCall {
  id: string;
  type: 'function';
  function: { name: string; arguments: string };
}

type ThinkingBlock =
  | { type: 'thinking'; thinking: string; signature: string }
  | { type: 'redacted_thinking'; data: string };

/** A whole `chat.completion` from the neutral events. https://platform.openai.com/docs/api-reference/chat/object */
export function fromInference(events: readonly InferenceEvent[], context: AnswerContext): OrError<Buffer> {
  let { created, model } = context;
  let id = `chatcmpl-${context.exchangeId}`;
  let content: string | undefined;
  let refusal: string | undefined;
  let reasoning: string | undefined;
  /** Reasoning since the last proof: what the next proof is for. */
  let unproven = '';
  let finish = 'stop';
  const usage: Usage = {};
  const toolCalls: ToolCall[] = [];
  const thinkingBlocks: ThinkingBlock[] = [];
  for (const event of events) {
    switch (event.type) {
      case 'start':
        id = event.id ?? id;
        model = event.model ?? model;
        created = event.created ?? created;
        break;
      case 'text':
        content = (content ?? '') + event.text;
        break;
      case 'reasoning':
        reasoning = (reasoning ?? '') + event.text;
        unproven += event.text;
        break;
      case 'reasoning-signature':
        thinkingBlocks.push({ type: 'thinking', thinking: unproven, signature: event.signature });
        unproven = '';
        break;
      case 'redacted-reasoning':
        thinkingBlocks.push({ type: 'redacted_thinking', data: event.data });
        break;
      case 'refusal':
        refusal = (refusal ?? '') + event.text;
        break;
      case 'tool-call':
        toolCalls[event.index] = { id: event.id, type: 'function', function: { name: event.name, arguments: '' } };
        break;
      case 'tool-call-arguments': {
        const call = toolCalls[event.index];
        if (call) call.function.arguments += event.text;
        break;
      }
      case 'usage':
        mergeUsage(usage, event.usage);
        break;
      case 'finish':
        finish = finishWord(event.reason);
        break;
      case 'error':
        return new GatewayError('upstream_stream_error', { detail: event.message, upstreamType: event.errorType });
    }
  }
  const calls = toolCalls.filter((call) => call !== undefined);
  const answered = calls.length > 0 || refusal !== undefined;
  return Buffer.from(
    JSON.stringify({
      id,
      object: 'chat.completion',
      created,
      model,
      choices: [
        {
          index: 0,
          message: {
            role: 'assistant',
            content: content ?? (answered ? null : ''),
            refusal: refusal ?? null,
            reasoning_content: reasoning,
            thinking_blocks: thinkingBlocks.length > 0 ? thinkingBlocks : undefined,
            tool_calls: calls.length > 0 ? calls : undefined,
          },
          logprobs: null,
          finish_reason: finish,
        },
      ],
      usage: usageObject(usage),
    }),
  );
}
