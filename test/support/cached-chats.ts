import { type Answer, chunkEvent, completion, DONE_EVENT, sendJson, USAGE_EVENT } from './provider.ts';
import { startEvents } from './scripted-provider.ts';

/** Chats that say `answer 1`, `answer 2` and so on, whole or streamed: two that are the same come out of a cache. */
export function numberedChats(): Answer {
  let count = 0;
  return (request, response) => {
    count += 1;
    const content = `answer ${count}`;
    if (!JSON.parse(request.body.toString()).stream) {
      sendJson(response, 200, completion(content));
      return;
    }
    startEvents(response);
    response.end(chunkEvent({ role: 'assistant', content }) + chunkEvent({}, 'stop') + USAGE_EVENT + DONE_EVENT);
  };
}

/** A request that wants the cache. */
export function cacheHeaders(more: object = {}): Record<string, string> {
  return { 'x-tfy-cache-config': JSON.stringify({ type: 'exact-match', ...more }) };
}

export function cacheStatus(response: Response): string | null {
  return response.headers.get('x-tfy-cache-status');
}
