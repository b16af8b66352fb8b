import type { ServerResponse } from 'node:http';
import { type Answer, sendJson } from './provider.ts';

/** Answers by the model that the request names; a test adds its own. */
export function byModel(answers: Record<string, Answer>): Answer {
  return (request, response, incoming) => {
    const { model } = JSON.parse(request.body.toString());
    const answer = answers[model];
    if (answer) answer(request, response, incoming);
    else sendJson(response, 404, { error: { message: `no script for ${model}`, type: 'invalid_request_error' } });
  };
}

/** An account at `url` (with /v1) that passes on every model id. */
export function openAccount(name: string, url: string, more: object = {}): object {
  return {
    type: 'provider-account/openai',
    name,
    base_url: url,
    auth_data: { type: 'api-key', api_key: 'sk-of-the-provider' },
    ...more,
  };
}

/** An account of this vendor, named as it, whose provider is at `url`. */
export function vendorAccount(vendor: string, url: string, more: object = {}): object {
  return {
    type: `provider-account/${vendor}`,
    name: vendor,
    base_url: url,
    auth_data: { type: 'api-key', api_key: `sk-${vendor}` },
    ...more,
  };
}

export function startEvents(response: ServerResponse, headers: Record<string, string> = {}): void {
  response.writeHead(200, { 'content-type': 'text/event-stream', ...headers });
  response.flushHeaders();
}

/** A promise that the test fulfils. */
export function gate<T = void>(): { promise: Promise<T>; open: (value: T) => void } {
  let open: (value: T) => void = () => {};
  const promise = new Promise<T>((resolve) => {
    open = resolve;
  });
  return { promise, open };
}

/** Resolves with performance.now() when the gateway has given this answer up. */
export function givenUp(response: ServerResponse): Promise<number> {
  return new Promise((resolve) => {
    response.on('close', () => {
      if (!response.writableFinished) resolve(performance.now());
    });
  });
}
