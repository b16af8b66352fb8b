import type { ApiForm } from '../dialects/dialect.ts';
import { type PromptText, TOOL_CALL_TOKENS } from '../inference/sampled-text.ts';
import type { Task } from '../offload/tasks.ts';
import { counterFor, type TokenCounter } from './token-count.ts';

export interface EstimateInput {
  /** Names of the API forms of the request and of the answer as the provider sent it. */
  promptForm: string;
  answerForm: string;
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

/** Runs in the task pool: counting takes milliseconds, loading the vocabulary more. `forms`: all that are known. */
export async function estimateTokens(input: EstimateInput, forms: readonly ApiForm[]): Promise<TokenEstimate> {
  const count = await counterFor(input.model);
  const prompt = forms.find(({ name }) => name === input.promptForm);
  const answer = forms.find(({ name }) => name === input.answerForm);
  return { inputTokens: inputTokens(input, prompt, count), outputTokens: outputTokens(input, answer, count) };
}

function inputTokens(input: EstimateInput, form: ApiForm | undefined, count: TokenCounter): number | undefined {
  if (input.bodyBytes === 0) return undefined;
  const prompt = promptOf(input, form);
  return prompt && Math.round((count(prompt.text) + prompt.extraTokens) * prompt.scale);
}

function promptOf({ head, tail, bodyBytes }: EstimateInput, form: ApiForm | undefined): PromptText | undefined {
  const text = Buffer.from(head.buffer, head.byteOffset, head.byteLength).toString('utf8');
  if (tail !== undefined) {
    return cutPromptText(text, Buffer.from(tail.buffer, tail.byteOffset, tail.byteLength).toString('utf8'), bodyBytes);
  }
  try {
    return form?.promptText(JSON.parse(text));
  } catch {
    // A provider that took what is no JSON knows what it billed; we do not.
    return undefined;
  }
}

/**
 * A body too large to be carried whole: its beginning and its end as raw text. Long strings without a space (base64 of
 * images) are no text; where the beginning stops inside one, the part that was left out is taken for more of it, else
 * for more of the same text.
 */
function cutPromptText(head: string, tail: string, totalBytes: number): PromptText {
  const headStrings = head.split('"');
  const opaqueAtCut = isOpaque(headStrings[headStrings.length - 1] ?? '');
  const seenBytes = head.length + tail.length;
  return {
    text: [...headStrings, ...tail.split('"')].filter((string) => !isOpaque(string)).join('"'),
    extraTokens: 0,
    scale: opaqueAtCut ? 1 : Math.max(1, totalBytes / seenBytes),
  };
}

function isOpaque(string: string): boolean {
  return string.length >= 1000 && !string.includes(' ');
}

function outputTokens(
  { outputSample, outputTotalBytes }: EstimateInput,
  form: ApiForm | undefined,
  count: TokenCounter,
): number | undefined {
  const sample = Buffer.from(outputSample.buffer, outputSample.byteOffset, outputSample.byteLength);
  const answer = form?.answerText(sample, outputTotalBytes);
  if (answer === undefined) return undefined;
  const seen = count(answer.text);
  const unseen = answer.textBytes === 0 ? 0 : (answer.restBytes * seen) / answer.textBytes;
  return Math.round(seen + unseen + answer.toolCalls * TOOL_CALL_TOKENS);
}
