/** The headers of docs/api.md, as OpenAPI parameters and response headers. */

function requestHeader(name: string, description: string, schema: object = { type: 'string' }) {
  return { name, in: 'header', required: false, description, schema } as const;
}

const positiveMs = { type: 'integer', minimum: 1 };

const requestIdParameter = requestHeader(
  'x-request-id',
  'A label for logs, kept if it is short and plain, else made; answered back',
  { type: 'string', pattern: '^[A-Za-z0-9._:/+=@-]{1,128}$' },
);

export const inferenceParameters = {
  Metadata: requestHeader(
    'x-tfy-metadata',
    'A JSON object, string to string, values up to 128 characters: what rate limits, budgets, ledger and metrics see of the request; metadata of the key and of its teams stands over it',
    { type: 'string', example: '{"project": "apollo"}' },
  ),
  ProviderName: requestHeader('x-tfy-provider-name', 'The account, where the `model` of the body names none'),
  RequestTimeout: requestHeader(
    'x-tfy-request-timeout',
    'Milliseconds for each attempt at a provider; 504 when they are over',
    positiveMs,
  ),
  FirstTokenTimeout: requestHeader(
    'x-tfy-ttft-timeout-ms',
    'Milliseconds to the first token; 408 when they are over',
    positiveMs,
  ),
  StrictForm: requestHeader('x-tfy-strict-openai', '`true`: a translated answer has no fields beyond those of OpenAI', {
    type: 'boolean',
  }),
  CacheControl: requestHeader(
    'x-tfy-cache-control',
    '`true`, `5m`, `1h` or a marker as JSON: what a translated request marks for the prompt cache of its provider',
  ),
  CacheConfig: requestHeader(
    'x-tfy-cache-config',
    'JSON: answers are taken from the cache, and kept there for `ttl` seconds; see docs/caching.md',
    { type: 'string', example: '{"type": "exact-match", "ttl": 600, "namespace": "default"}' },
  ),
  RequestId: requestIdParameter,
  Traceparent: requestHeader('traceparent', 'W3C trace context, passed on to the provider'),
  Tracestate: requestHeader('tracestate', 'W3C trace context, passed on to the provider'),
  IdempotencyKey: requestHeader('idempotency-key', 'Passed on to the provider'),
};

function responseHeader(description: string, schema: object = { type: 'string' }) {
  return { description, schema } as const;
}

/** Each header of an answer, once; under its own name where only one sense of it is told. */
export const headerComponents = {
  'x-request-id': responseHeader('The label sent, or the exchange id'),
  'x-sluice-exchange-id': responseHeader('Generated; what records and receipts use'),
  'server-timing': responseHeader(
    '`gateway;dur=…, upstream;dur=…` in milliseconds: what is known when the head leaves',
  ),
  'x-tfy-applied-rules': responseHeader(
    'Where a rate limit or budget applied, JSON: `ratelimit` and `budget` list the rules by id, `refused` names the one that refused, `downgrade` is `{from, to, by}`',
    { type: 'string', example: '{"ratelimit":["search"],"refused":"search"}' },
  ),
  'x-tfy-resolved-model': responseHeader('`account/model` that answered'),
  'x-upstream-request-id': responseHeader('The provider’s own request id'),
  'x-tfy-cache-status': responseHeader('Where the cache was asked: `hit`, `miss`, `error` or `bypass`'),
  'x-tfy-cache-similarity-score': responseHeader(
    'Cosine of the question and the one whose answer it is, or would be; absent: they are equal, or none was compared',
  ),
  'x-sluice-cache-shadow': responseHeader(
    'Where nothing is served from the cache: `hit` or `miss`, what it would have said',
  ),
  'x-tfy-cached-trace-id': responseHeader('Of a hit, the trace of the exchange whose answer it is'),
  age: responseHeader('Of a hit, seconds since its answer came'),
  'x-sluice-estimated': responseHeader('What of the answer is an estimate'),
  'provider-retry-after': responseHeader('The provider’s'),
  'provider-limit-requests': responseHeader('The provider’s, as all its `x-ratelimit-*`'),
  'retry-after': responseHeader('Seconds to wait before trying again', { type: 'integer' }),
  'retry-after-ms': responseHeader('The same in milliseconds', { type: 'integer' }),
  'x-should-retry': responseHeader('`false` where waiting would take more than a minute: SDKs then do not try again'),
  'x-ratelimit-limit-requests': responseHeader('What the rule allows, where it counts requests'),
  'x-ratelimit-remaining-requests': responseHeader('What is left of it'),
  'x-ratelimit-reset-requests': responseHeader('When this request would fit, as `20ms`, `6m0s`'),
  'x-ratelimit-limit-tokens': responseHeader('What the rule allows, where it counts tokens'),
  'x-ratelimit-remaining-tokens': responseHeader('What is left of it'),
  'x-ratelimit-reset-tokens': responseHeader('When this request would fit, as `20ms`, `6m0s`'),
};

type HeaderComponent = keyof typeof headerComponents;

const component = (name: HeaderComponent) => ({ $ref: `#/components/headers/${name}` });
const named = (...names: HeaderComponent[]) => Object.fromEntries(names.map((name) => [name, component(name)]));

/** On every answer to a known client. */
export const ownHeaders = named('x-request-id', 'x-sluice-exchange-id', 'server-timing');

/** On answers that came from a provider. */
export const upstreamHeaders = {
  ...named('x-tfy-resolved-model', 'x-upstream-request-id', 'x-tfy-cache-status', 'x-tfy-cache-similarity-score'),
  ...named('x-sluice-cache-shadow', 'x-tfy-cached-trace-id', 'age'),
  'retry-after': component('provider-retry-after'),
  'x-ratelimit-limit-requests': component('provider-limit-requests'),
  ...named('x-tfy-applied-rules'),
};

/** On answers that the gateway itself may have estimated. */
export const estimateHeaders = named('x-sluice-estimated');

/** Where limits were looked at before it was found that the request cannot be served now. */
export const unavailableHeaders = named('retry-after', 'retry-after-ms', 'x-should-retry', 'x-tfy-applied-rules');

/** On refusals by a rate limit or budget; a provider's own 429 has its own. */
export const limitHeaders = {
  ...unavailableHeaders,
  ...named(
    'x-ratelimit-limit-requests',
    'x-ratelimit-remaining-requests',
    'x-ratelimit-reset-requests',
    'x-ratelimit-limit-tokens',
    'x-ratelimit-remaining-tokens',
    'x-ratelimit-reset-tokens',
  ),
};
