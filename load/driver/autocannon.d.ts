/** The part of autocannon 9 that we use; the package has no types of its own. */
declare module 'autocannon' {
  import type { EventEmitter } from 'node:events';

  /** One connection. Events: request, headers({statusCode}), body(bytes), response(status, bytes, ms), connError. */
  export interface Client extends EventEmitter {
    pipelinedRequests: { addBody(data: Uint8Array): void };
    setHeaders(headers: Record<string, string>): void;
  }

  export type Options = {
    url: string;
    method: string;
    headers: Record<string, string>;
    body: string;
    connections: number;
    amount: number;
    timeout: number;
    sampleInt: number;
    reconnectRate?: number;
    setupClient(client: Client): void;
  };

  export type Result = { errors: number; timeouts: number };

  export default function autocannon(options: Options): PromiseLike<Result> & { stop(): void };
}
