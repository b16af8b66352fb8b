import type { IncomingMessage, RequestOptions } from 'node:http';
import { z } from 'zod';
import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';
import type { AdminAnswer, AdminRoute } from './admin-route.ts';

/** The port of clients, as this machine reaches it. */
export interface DataPort {
  readonly host: string;
  readonly port: number;
  /** PEM of the certificate that it shows; undefined: it speaks plain HTTP. */
  readonly certificate: Buffer | undefined;
}

const MAX_KEY_LENGTH = 16_384;
/** Until the head of the answer; what comes after it ends with its client, or as the gateway's own timeouts say. */
const HEAD_MS = 600_000;
/** What the browser has not taken while more comes: the answer is paused until it has. */
const CHECK_MS = 50;
/** The headers of the answer that tell whoever shows it what it took and where its receipt is. */
const TOLD = ['x-sluice-exchange-id', 'server-timing', 'x-tfy-applied-rules', 'retry-after'] as const;

const written = z.strictObject({
  key: z.string().min(1).max(MAX_KEY_LENGTH),
  request: z.looseObject({ model: z.string() }),
});

/**
 * A chat that somebody tries out in the console. It is an exchange like any other: it goes to this gateway's own port of
 * clients, with a key of the gateway that comes along and is kept nowhere, so that access, limits, budgets, guards and
 * the ledger are those of that key. The console reaches no other port than its own, and no other site reaches this.
 */
export function playgroundRoutes(dataPort: () => DataPort): AdminRoute[] {
  return [
    {
      method: 'POST',
      path: '/admin/playground/chat/completions',
      session: { role: 'operator', data: 'none' },
      summary: 'Asks a model as a client with that key does; the answer is what the client would get, streamed or not',
      requestBody: {
        type: 'object',
        required: ['key', 'request'],
        additionalProperties: false,
        properties: {
          key: { type: 'string', description: 'An API key of the gateway; it is not kept' },
          request: { type: 'object', description: 'The body of `POST /chat/completions`' },
        },
      },
      otherTypes: ['text/event-stream'],
      handle: async ({ body, gone }) => {
        const read = written.safeParse(body);
        if (!read.success) {
          const param = String(read.error.issues[0]?.path[0] ?? 'request');
          const detail =
            '`key` is an API key of the gateway, `request` the body of a chat completion with its `model`.';
          return new GatewayError('invalid_parameter', { param, detail });
        }
        const text = jsonOf(read.data.request);
        if (text === undefined) return new GatewayError('invalid_json', { param: 'request' });
        return askedOf(dataPort(), read.data.key, text, gone);
      },
    },
  ];
}

function jsonOf(request: object): string | undefined {
  try {
    return JSON.stringify(request);
  } catch {
    // It is nested deeper than the stack goes.
    return undefined;
  }
}

function askedOf(
  { host, port, certificate }: DataPort,
  key: string,
  body: string,
  gone: AbortSignal | undefined,
): Promise<OrError<AdminAnswer>> {
  if (/[^\x20-\x7e]/.test(key)) {
    return Promise.resolve(new GatewayError('invalid_parameter', { param: 'key', detail: 'No key has such letters.' }));
  }
  const options: RequestOptions & { readonly allowPartialTrustChain?: boolean } = {
    host,
    port,
    method: 'POST',
    path: '/v1/chat/completions',
    agent: false,
    ...(gone && { signal: gone }),
    headers: {
      authorization: `Bearer ${key}`,
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
    },
  };
  return new Promise((resolve) => {
    const away = () => resolve(new GatewayError('overloaded', { detail: 'The port of clients did not answer.' }));
    const take = (answer: IncomingMessage) => {
      clearTimeout(timer);
      resolve(passedOn(answer));
    };
    // It is our own certificate, whatever name it is for: nobody else can show it.
    const trust = { ca: certificate, allowPartialTrustChain: true, checkServerIdentity: () => undefined };
    const request =
      certificate === undefined
        ? process.getBuiltinModule('node:http').request(options, take)
        : process.getBuiltinModule('node:https').request({ ...options, ...trust }, take);
    const timer = setTimeout(() => request.destroy(), HEAD_MS).unref();
    request.on('error', away);
    request.end(body);
  });
}

function passedOn(answer: IncomingMessage): AdminAnswer {
  const headers: Record<string, string> = {};
  for (const name of TOLD) {
    const value = answer.headers[name];
    if (typeof value === 'string') headers[name] = value;
  }
  return {
    status: answer.statusCode ?? 502,
    stream: {
      type: answer.headers['content-type'] ?? 'application/json',
      headers,
      open: (out) => {
        const decoder = new TextDecoder();
        let waiting: NodeJS.Timeout | undefined;
        answer.on('data', (piece: Buffer) => {
          out.write(decoder.decode(piece, { stream: true }));
          if (!out.isFull || waiting !== undefined) return;
          answer.pause();
          waiting = setInterval(() => {
            if (out.isFull) return;
            clearInterval(waiting);
            waiting = undefined;
            answer.resume();
          }, CHECK_MS);
        });
        // An answer that broke off ends as it did: without the end that its form has.
        answer.on('error', () => out.end());
        answer.on('close', () => out.end());
        return () => {
          clearInterval(waiting);
          answer.destroy();
        };
      },
    },
  };
}
