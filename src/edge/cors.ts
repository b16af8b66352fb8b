import type { ServerSettings } from '../config/server/server-settings.ts';

const NONE: readonly string[] = [];
const RATES = ['limit', 'remaining', 'reset'];

/** Header lists for browser clients; both functions give nothing while CORS is off or the origin is not allowed. */
export interface Cors {
  readonly enabled: boolean;
  onAnswer(origin: string | undefined): readonly string[];
  onPreflight(origin: string | undefined): readonly string[];
}

/** What of an answer a program in a browser may read: ours, and what passes of a provider's rate headers. */
const exposed = [
  ...['x-request-id', 'x-sluice-exchange-id', 'x-upstream-request-id', 'server-timing'],
  ...['x-tfy-resolved-model', 'x-tfy-applied-rules', 'x-tfy-cache-status', 'x-tfy-cached-trace-id'],
  'age',
  ...['retry-after', 'retry-after-ms', 'x-should-retry'],
  ...rateHeaders('x-ratelimit', RATES, ['requests', 'tokens']),
  ...rateHeaders('anthropic-ratelimit', ['requests', 'tokens', 'input-tokens', 'output-tokens'], RATES),
].join(', ');

/** https://fetch.spec.whatwg.org/#http-cors-protocol; credentials are never allowed: keys travel in a header. */
export function makeCors(settings: ServerSettings['cors']): Cors {
  if (!settings) return { enabled: false, onAnswer: () => NONE, onPreflight: () => NONE };
  const any = settings.allowedOrigins.includes('*');
  const allowed = new Set(settings.allowedOrigins);
  const onAnswer = (origin: string | undefined): readonly string[] => {
    if (origin === undefined || !(any || allowed.has(origin))) return NONE;
    const list = ['access-control-allow-origin', any ? '*' : origin, 'access-control-expose-headers', exposed];
    if (!any) list.push('vary', 'origin');
    return list;
  };
  return {
    enabled: true,
    onAnswer,
    onPreflight: (origin) => {
      const headers = onAnswer(origin);
      if (headers.length === 0) return NONE;
      return [
        ...headers,
        'access-control-allow-methods',
        'GET, POST, OPTIONS',
        'access-control-allow-headers',
        '*, authorization',
        'access-control-max-age',
        String(settings.maxAgeSeconds),
      ];
    },
  };
}

/** Every name that is the prefix, one of the first and one of the second words. */
function rateHeaders(prefix: string, first: readonly string[], second: readonly string[]): string[] {
  return first.flatMap((one) => second.map((other) => `${prefix}-${one}-${other}`));
}
