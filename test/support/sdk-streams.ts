import { Stream as MessageStream } from '@anthropic-ai/sdk/core/streaming';
import { Stream as ChatStream } from 'openai/core/streaming';

/** What an official SDK makes of the body of a streamed answer: its events, and what it raised, if anything. */
export interface Decoded {
  readonly events: unknown[];
  readonly raised: unknown;
}

/** The openai package. */
export function decodeChat(body: string): Promise<Decoded> {
  return decoded(ChatStream.fromSSEResponse(response(body), new AbortController()));
}

/** The @anthropic-ai/sdk package. */
export function decodeMessage(body: string): Promise<Decoded> {
  return decoded(MessageStream.fromSSEResponse(response(body), new AbortController()));
}

function response(body: string): Response {
  return new Response(body, { headers: { 'content-type': 'text/event-stream' } });
}

async function decoded(stream: AsyncIterable<unknown>): Promise<Decoded> {
  const events: unknown[] = [];
  try {
    for await (const event of stream) events.push(event);
    return { events, raised: undefined };
  } catch (raised) {
    // What it raises is what the test asks about.
    return { events, raised };
  }
}
