import { type ErrorCode, type ErrorContext, GatewayError, retryHeaders } from '../core/errors.ts';
import type { StreamedAnswer } from './admin/admin-route.ts';

/** An answer of the operator port. */
export interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: Buffer | string;
  /** In the place of the body. */
  readonly stream?: StreamedAnswer | undefined;
  /** Beyond those that every answer has. */
  readonly headers?: Readonly<Record<string, string>>;
}

export const JSON_TYPE = 'application/json';

/** Nothing more is read of what the request brings. */
export const CLOSE = { connection: 'close' };

export function refusal(code: ErrorCode, headers?: Answer['headers']): Answer {
  return refusalOf(new GatewayError(code), headers);
}

/** The same shape of error as on the client port. */
export function refusalOf(error: GatewayError, headers: Readonly<Record<string, string>> = {}): Answer {
  const { param }: ErrorContext = error.context;
  const body = { error: { message: error.message, type: error.rule.type, code: error.code, param: param ?? null } };
  const all: Record<string, string> = { ...headers };
  const retry = retryHeaders(error);
  for (let at = 0; at < retry.length; at += 2) all[retry[at]!] = retry[at + 1]!;
  return { status: error.status, type: JSON_TYPE, body: JSON.stringify(body), headers: all };
}
