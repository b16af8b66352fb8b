import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';

const DEFAULT_LIMIT = 50;
const MAX_LIMIT = 500;

/** What a route says of its `limit`, by which a list of the admin API is read page by page. */
export function limitHelp(what: string): string {
  return `${what}, up to ${MAX_LIMIT}; ${DEFAULT_LIMIT} without it`;
}

/** The `limit` of a request, 1 to 500; an error names the bound. */
export function pageLimit(query: URLSearchParams): OrError<number> {
  const written = query.get('limit') ?? String(DEFAULT_LIMIT);
  const limit = /^\d{1,3}$/.test(written) ? Number(written) : 0;
  if (limit >= 1 && limit <= MAX_LIMIT) return limit;
  return new GatewayError('invalid_parameter', {
    param: 'limit',
    detail: `It is a whole number from 1 to ${MAX_LIMIT}.`,
  });
}
