import { type Agent, request as httpRequest, type IncomingMessage } from 'node:http';
import { messages } from './chat-client.ts';
import { KEY } from './gateway.ts';
import {
  chunkEvent,
  completion,
  DONE_EVENT,
  type FakeProvider,
  sendJson,
  startProvider,
  USAGE_EVENT,
} from './provider.ts';

/** An answer that a client had all of. */
export interface EndedExchange {
  readonly id: string;
  /** performance.now() when the client had its last byte. */
  readonly endedAt: number;
  readonly durationMs: number;
  readonly status: number;
}

export interface Load {
  readonly ended: EndedExchange[];
  /** Requests that got no whole answer. */
  readonly failed: string[];
  /** After those that are open. */
  stop(): Promise<void>;
  /** Once the gateway is gone. */
  readonly over: Promise<void>;
}

/** 5 tokens in, 7 out; `silent`: says nothing of usage, so that it has to be estimated. */
export function startCountingProvider(): Promise<FakeProvider> {
  return startProvider((request, response) => {
    const { model, stream } = JSON.parse(request.body.toString());
    if (!stream) {
      sendJson(response, 200, { ...completion('hello'), ...(model === 'silent' && { usage: undefined }) });
      return;
    }
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(chunkEvent({ content: 'word' }));
    setTimeout(() => {
      response.end(chunkEvent({ content: ' more' }, 'stop') + (model === 'silent' ? '' : USAGE_EVENT) + DONE_EVENT);
    }, 3);
  });
}

/** Whole and streamed chats, one after another on each of `connections`, until it is stopped or the gateway is gone. */
export function startLoad(
  gateway: { url: string },
  connections: number,
  models: readonly string[],
  agent: Agent,
  /** Before each request: a load without it takes every core there is. */
  pauseMs = 0,
): Load {
  const ended: EndedExchange[] = [];
  const failed: string[] = [];
  let stopping = false;
  let count = 0;
  const one = async (): Promise<void> => {
    for (;;) {
      if (stopping) return;
      if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs));
      count += 1;
      const startedAt = performance.now();
      try {
        const answer = await chat(
          gateway,
          { model: models[count % models.length], stream: count % 3 === 0, messages },
          agent,
        );
        ended.push({ ...answer, durationMs: answer.endedAt - startedAt });
      } catch (error) {
        failed.push(String(error));
        if (failed.length > 3 * connections) return;
        // The gateway is gone: there is no next one.
        if (/ECONNREFUSED|ECONNRESET|socket hang up|aborted/.test(String(error))) return;
      }
    }
  };
  const over = Promise.all(Array.from({ length: connections }, one)).then(() => {});
  return {
    ended,
    failed,
    over,
    stop: async () => {
      stopping = true;
      await over;
    },
  };
}

function chat(gateway: { url: string }, body: object, agent: Agent): Promise<Omit<EndedExchange, 'durationMs'>> {
  const bytes = Buffer.from(JSON.stringify(body));
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      `${gateway.url}/v1/chat/completions`,
      {
        method: 'POST',
        agent,
        headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json', 'content-length': bytes.length },
      },
      (response: IncomingMessage) => {
        response.on('error', reject);
        response.on('end', () => {
          const id = response.headers['x-sluice-exchange-id'];
          if (response.complete)
            resolve({ id: String(id), endedAt: performance.now(), status: response.statusCode ?? 0 });
        });
        response.on('close', () => reject(new Error('aborted')));
        response.resume();
      },
    );
    request.on('error', reject);
    request.end(bytes);
  });
}
