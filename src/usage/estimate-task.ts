import type { Task } from '../offload/tasks.ts';
import { answerText } from './answer-text.ts';
import { cutPromptText, type PromptText, promptText, TOOL_CALL_TOKENS } from './prompt-text.ts';
import { counterFor, type TokenCounter } from './token-count.ts';

export interface EstimateInput {
  /** The request body, or its beginning where it is too large to be carried whole. */
  head: Uint8Array;
  /** Its end, where `head` is not all of it. */
  tail: Uint8Array | undefined;
  bodyBytes: number;
  outputSample: Uint8Array;
  outputTotalBytes: number;
  model: string;
}

/** Undefined: nothing can be said, which is not zero. */
export interface TokenEstimate {
  inputTokens: number | undefined;
  outputTokens: number | undefined;
}

export const estimateTokensTask: Task<EstimateInput, TokenEstimate> = { name: 'estimate-tokens' };

/** Runs in the task pool: counting takes milliseconds, loading the vocabulary more. */
export async function estimateTokens(input: EstimateInput): Promise<TokenEstimate> {
  const count = await counterFor(input.model);
  return { inputTokens: inputTokens(input, count), outputTokens: outputTokens(input, count) };
}

function inputTokens(input: EstimateInput, count: TokenCounter): number | undefined {
  if (input.bodyBytes === 0) return undefined;
  const prompt = promptOf(input);
  return prompt && Math.round((count(prompt.text) + prompt.extraTokens) * prompt.scale);
}

function promptOf({ head, tail, bodyBytes }: EstimateInput): PromptText | undefined {
  const text = Buffer.from(head.buffer, head.byteOffset, head.byteLength).toString('utf8');
  if (tail !== undefined) {
    return cutPromptText(text, Buffer.from(tail.buffer, tail.byteOffset, tail.byteLength).toString('utf8'), bodyBytes);
  }
  try {
    return promptText(JSON.parse(text));
  } catch {
    // A provider that took what is no JSON knows what it billed; we do not.
    return undefined;
  }
}

function outputTokens({ outputSample, outputTotalBytes }: EstimateInput, count: TokenCounter): number | undefined {
  const sample = Buffer.from(outputSample.buffer, outputSample.byteOffset, outputSample.byteLength);
  const answer = answerText(sample, outputTotalBytes);
  if (answer === undefined) return undefined;
  const seen = count(answer.text);
  const unseen = answer.textBytes === 0 ? 0 : (answer.restBytes * seen) / answer.textBytes;
  return Math.round(seen + unseen + answer.toolCalls * TOOL_CALL_TOKENS);
}
