import type { IncomingMessage } from 'node:http';
import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';

const MAX_BODY_BYTES = 1024 * 1024;
/** The deadline of the whole body; the server's own limit for a request is longer and tells the client nothing. */
const DEADLINE_MS = 8000;
const NOTHING = Symbol();

/** What a request brings, parsed; undefined: nothing. Of a body over the bound no more is kept than the bound. */
export async function readJsonBody(
  request: IncomingMessage,
  maxBytes = MAX_BODY_BYTES,
): Promise<OrError<{ value: unknown }>> {
  const declared = Number(request.headers['content-length'] ?? 0);
  if (declared > maxBytes) return tooLarge(maxBytes);
  const bytes = await wholeBody(request, maxBytes);
  if (bytes instanceof GatewayError) return bytes;
  if (bytes.length === 0) return { value: undefined };
  const value = parsed(bytes.toString());
  return value === NOTHING ? new GatewayError('invalid_json') : { value };
}

function wholeBody(request: IncomingMessage, maxBytes: number): Promise<OrError<Buffer>> {
  return new Promise((resolve) => {
    const pieces: Buffer[] = [];
    let bytes = 0;
    const settle = (outcome: OrError<Buffer>): void => {
      clearTimeout(timer);
      request.removeAllListeners('data').removeAllListeners('end').removeAllListeners('close');
      request.pause();
      resolve(outcome);
    };
    const timer = setTimeout(() => settle(new GatewayError('body_timeout')), DEADLINE_MS);
    request.on('data', (piece: Buffer) => {
      bytes += piece.length;
      if (bytes > maxBytes) settle(tooLarge(maxBytes));
      else pieces.push(piece);
    });
    request.on('end', () => settle(Buffer.concat(pieces)));
    // Nobody reads the answer.
    request.on('close', () => settle(new GatewayError('client_closed')));
    request.on('error', () => {});
  });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The parser's words repeat what was sent.
    return NOTHING;
  }
}

function tooLarge(maxBytes: number): GatewayError {
  return new GatewayError('body_too_large', { detail: `It may have up to ${maxBytes} bytes.` });
}
