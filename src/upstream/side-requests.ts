import type { UpstreamSettings } from '../config/server/upstream.ts';
import type { HttpClient } from '../core/http-client.ts';

/** Requests beside the traffic. The first one loads the code: a gateway that makes none is ready sooner. */
export function sideRequests(settings: () => UpstreamSettings): HttpClient {
  let loaded: Promise<HttpClient> | undefined;
  return async (request) => {
    loaded ??= import('./one-request.ts').then(({ httpClient }) => httpClient(settings));
    return (await loaded)(request);
  };
}
