/**
 * The bytes of every answer, made once per model name and kept: the mock shares two cores with what it measures.
 * The same name always gives the same bytes, so that a client can compare what came through a gateway.
 */
import type { Behaviour } from './behaviour.ts';

const CREATED = 1_700_000_000;
const ID = 'chatcmpl-MockA1b2C3d4E5f6G7h8I9j0K1l2M';
const SENTENCE =
  'The sluice opens a hand wide, the water takes the gap without a word, and below the weir the mill begins to turn. ';

export type StreamAnswer = {
  /** Content events in order, each a whole SSE event. One buffer stands for all where `chunkBytes` is set. */
  event(index: number): Buffer;
  chunks: number;
  /** Finish event and `[DONE]`, joined; with and without the usage event between them. */
  tail: Buffer;
  tailWithUsage: Buffer;
};

export type Answers = {
  whole: Buffer;
  stream: StreamAnswer;
  /** Media type of the stream; absent: server-sent events. */
  streamType?: string;
};

export function answersFor(model: string, behaviour: Behaviour): Answers {
  return { whole: wholeAnswer(model, behaviour), stream: streamAnswer(model, behaviour) };
}

function usageOf(behaviour: Behaviour): object {
  const completion = behaviour.completionTokens || behaviour.chunks;
  return {
    prompt_tokens: behaviour.promptTokens,
    completion_tokens: completion,
    total_tokens: behaviour.promptTokens + completion,
  };
}

function wholeAnswer(model: string, behaviour: Behaviour): Buffer {
  const render = (content: string): string =>
    JSON.stringify({
      id: ID,
      object: 'chat.completion',
      created: CREATED,
      model,
      choices: [{ index: 0, message: { role: 'assistant', content }, logprobs: null, finish_reason: 'stop' }],
      ...(behaviour.usage ? { usage: usageOf(behaviour) } : {}),
      service_tier: 'default',
      system_fingerprint: 'fp_mock',
    });
  if (behaviour.wholeBytes === 0) return Buffer.from(render(SENTENCE.repeat(3)));
  return Buffer.from(render(text(Math.max(0, behaviour.wholeBytes - render('').length))));
}

function streamAnswer(model: string, behaviour: Behaviour): StreamAnswer {
  const head = {
    id: ID,
    object: 'chat.completion.chunk',
    created: CREATED,
    model,
    service_tier: 'default',
    system_fingerprint: 'fp_mock',
  };
  const event = (delta: object, finish: string | null): string => {
    const choices = [{ index: 0, delta, logprobs: null, finish_reason: finish }];
    return sse({ ...head, choices, obfuscation: 'k3Jx9QpZ' });
  };
  const first = (content: string): Buffer => Buffer.from(event({ role: 'assistant', content }, null));
  const finish = event({}, 'stop');
  const usage = behaviour.usage ? sse({ ...head, choices: [], usage: usageOf(behaviour) }) : '';
  const tail = Buffer.from(`${finish}data: [DONE]\n\n`);
  const tailWithUsage = Buffer.from(`${finish}${usage}data: [DONE]\n\n`);
  if (behaviour.chunkBytes > 0) {
    const same = Buffer.from(event({ content: text(behaviour.chunkBytes) }, null));
    const opening = first(text(behaviour.chunkBytes));
    return { chunks: behaviour.chunks, event: (index) => (index === 0 ? opening : same), tail, tailWithUsage };
  }
  const events = Array.from({ length: behaviour.chunks }, (_, index) =>
    index === 0 ? first('w0 ') : Buffer.from(event({ content: `w${index} ` }, null)),
  );
  return { chunks: behaviour.chunks, event: (index) => events[index] as Buffer, tail, tailWithUsage };
}

export function errorBody(status: number, message: string): Buffer {
  const type = status === 429 ? 'rate_limit_error' : status < 500 ? 'invalid_request_error' : 'server_error';
  return Buffer.from(JSON.stringify({ error: { message, type, code: `mock_${status}`, param: null } }));
}

export function errorEvent(): Buffer {
  return Buffer.from(sse({ error: { message: 'mock failure in the stream', type: 'server_error', code: 'mock' } }));
}

function sse(data: object): string {
  return `data: ${JSON.stringify(data)}\n\n`;
}

/** ASCII without anything JSON would escape, so that bytes can be counted. */
function text(bytes: number): string {
  return SENTENCE.repeat(Math.ceil(bytes / SENTENCE.length) || 0).slice(0, bytes);
}
