/** Headers of the contract §3, as OpenAPI parameters and response headers. */

function requestHeader(name: string, description: string, schema: object = { type: 'string' }) {
  return { name, in: 'header', required: false, description, schema } as const;
}

const positiveMs = { type: 'integer', minimum: 1 };

export const requestIdParameter = requestHeader(
  'x-request-id',
  'A label for logs, kept if it is short and plain, else made; answered back',
  { type: 'string', pattern: '^[A-Za-z0-9._:/+=@-]{1,128}$' },
);

export const inferenceParameters = {
  Metadata: requestHeader(
    'x-tfy-metadata',
    'Metadata for request logging: a JSON object, string to string, values up to 128 characters',
  ),
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
  RequestId: requestIdParameter,
  Traceparent: requestHeader('traceparent', 'W3C trace context, passed on to the provider'),
  Tracestate: requestHeader('tracestate', 'W3C trace context, passed on to the provider'),
  IdempotencyKey: requestHeader('idempotency-key', 'Passed on to the provider'),
};

function responseHeader(description: string, schema: object = { type: 'string' }) {
  return { description, schema } as const;
}

/** On every answer to a known client. */
export const ownHeaders = {
  'x-request-id': responseHeader('The label sent, or the exchange id'),
  'x-sluice-exchange-id': responseHeader('Generated; what records and receipts use'),
  'server-timing': responseHeader(
    '`gateway;dur=…, upstream;dur=…` in milliseconds: what is known when the head leaves',
  ),
};

/** On answers that came from a provider. */
export const upstreamHeaders = {
  'x-tfy-resolved-model': responseHeader('`account/model` that answered'),
  'x-upstream-request-id': responseHeader('The provider’s own request id'),
  'retry-after': responseHeader('The provider’s'),
  'x-ratelimit-limit-requests': responseHeader('The provider’s, as all its `x-ratelimit-*`'),
};

export const retryAfter = {
  'retry-after': responseHeader('Seconds to wait before trying again', { type: 'integer' }),
};
