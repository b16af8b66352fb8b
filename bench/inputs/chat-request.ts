/** Chat requests as clients send them. Deterministic: the same bytes on every machine and in every commit. */

export const MODEL = 'openai-main/gpt-4o';

export interface ChatRequest {
  model: string;
  stream?: boolean;
  stream_options?: { include_usage: boolean };
  messages: { role: string; content: unknown }[];
  [field: string]: unknown;
}

/** About 0.8 KB: a system prompt, a short talk, the usual parameters. */
export function smallRequest(more: Partial<ChatRequest> = {}): ChatRequest {
  return {
    model: MODEL,
    messages: [
      { role: 'system', content: 'You are a helpful assistant. Answer briefly, and in the language of the question.' },
      { role: 'user', content: 'What is the difference between a process and a thread?\nTwo sentences, please.' },
      {
        role: 'assistant',
        content: 'A process has its own memory and resources. Threads live inside one and share them.',
      },
      {
        role: 'user',
        content:
          'And which of the two would you choose for a program that does nothing but wait for many sockets at once? Say "why" too; and whether that changes when every socket needs a lot of computing as well, such as encryption or the parsing of large documents.',
      },
    ],
    temperature: 0.7,
    top_p: 1,
    max_tokens: 512,
    ...more,
  };
}

/** A picture of 1 MB in base64: 1.3 MB of one string. */
export function imageRequest(): ChatRequest {
  const picture = Buffer.alloc(1_000_000, 'deterministic noise, as a picture is').toString('base64');
  return smallRequest({
    messages: [
      {
        role: 'user',
        content: [
          { type: 'text', text: 'What is in this picture?' },
          { type: 'image_url', image_url: { url: `data:image/png;base64,${picture}` } },
        ],
      },
    ],
  });
}

/** The worst for a search that jumps from quote to quote: JSON inside a JSON string. */
export function quotedRequest(): ChatRequest {
  const row = JSON.stringify({ id: 1, name: 'a', tags: ['b', 'c'], nested: { path: 'C:\\d', said: '"e"' } });
  return smallRequest({ messages: [{ role: 'user', content: row.repeat(600) }] });
}

export function bytesOf(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}
