/**
 * One class, one table. A code is looked up in ERRORS for everything that follows from it: the status a client sees,
 * who is to blame, whether another attempt may help, how loud it is in the log, and what to do about it.
 * Statuses are those of the contract §3. GatewayError is a value: it carries no stack and is cheap to make.
 */

export type Stage = 'edge' | 'dialect' | 'policy' | 'routing' | 'provider' | 'upstream' | 'relay' | 'gateway';
export type Blame = 'client' | 'policy' | 'upstream' | 'gateway';
export type Retry = 'never' | 'same-target' | 'next-target';

export interface ErrorRule {
  readonly status: number;
  readonly stage: Stage;
  readonly blame: Blame;
  readonly retry: Retry;
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  /** OpenAI's error `type`; SDKs choose their class by status, people read this. */
  readonly type: string;
  /** Default message; an error's own detail is put behind it. */
  readonly message: string;
  /** What the reader can do. */
  readonly remedy: string;
}

const invalid = 'invalid_request_error';

function rule(
  status: number,
  stage: Stage,
  blame: Blame,
  retry: Retry,
  level: ErrorRule['level'],
  type: string,
  message: string,
  remedy: string,
): ErrorRule {
  return { status, stage, blame, retry, level, type, message, remedy };
}

export const ERRORS = {
  // 1 edge
  path_not_found: rule(
    404,
    'edge',
    'client',
    'never',
    'debug',
    invalid,
    'There is no such path.',
    'See /openapi.json for the paths that exist.',
  ),
  method_not_allowed: rule(
    405,
    'edge',
    'client',
    'never',
    'debug',
    invalid,
    'This path does not take this method.',
    'Use a method named in the allow header.',
  ),
  missing_api_key: rule(
    401,
    'edge',
    'client',
    'never',
    'info',
    'authentication_error',
    'No API key was sent.',
    'Send it as `Authorization: Bearer KEY`.',
  ),
  invalid_api_key: rule(
    401,
    'edge',
    'client',
    'never',
    'info',
    'authentication_error',
    'The API key is not valid.',
    'Check the key; it may be mistyped, expired or revoked.',
  ),
  issuer_keys_unavailable: rule(
    503,
    'edge',
    'gateway',
    'never',
    'warn',
    'server_error',
    'The signing keys of the token’s issuer are not known yet.',
    'Try again in a second; if it lasts, the operator must check jwks_uri and the log.',
  ),
  database_away: rule(
    503,
    'edge',
    'gateway',
    'never',
    'warn',
    'server_error',
    'The database does not answer.',
    'Try again later; requests to models go on without it.',
  ),
  not_found: rule(
    404,
    'edge',
    'client',
    'never',
    'debug',
    invalid,
    'There is nothing of this name.',
    'List what there is; a new entry may take a second.',
  ),
  conflict: rule(
    409,
    'edge',
    'client',
    'never',
    'info',
    invalid,
    'Its state does not allow this.',
    'See the message for what is there.',
  ),
  invalid_header: rule(
    400,
    'edge',
    'client',
    'never',
    'info',
    invalid,
    'A request header is not acceptable.',
    'Correct the header that is named.',
  ),
  body_too_large: rule(
    413,
    'edge',
    'client',
    'never',
    'info',
    invalid,
    'The request body is too large.',
    'Send less, or raise limits.max_body_bytes.',
  ),
  body_timeout: rule(
    408,
    'edge',
    'client',
    'never',
    'info',
    invalid,
    'The request body did not arrive in time.',
    'Send faster, or raise timeouts.body_ms.',
  ),
  body_memory_full: rule(
    503,
    'edge',
    'gateway',
    'never',
    'warn',
    'server_error',
    'The gateway holds as many request bodies as it may.',
    'Try again; or raise limits.max_body_memory_bytes.',
  ),
  overloaded: rule(
    503,
    'edge',
    'gateway',
    'never',
    'warn',
    'server_error',
    'The gateway is serving as many requests as it may.',
    'Try again; or raise limits.max_in_flight.',
  ),
  draining: rule(
    503,
    'edge',
    'gateway',
    'never',
    'info',
    'server_error',
    'The gateway is shutting down.',
    'Try again; another instance or the next one will answer.',
  ),
  client_closed: rule(
    499,
    'edge',
    'client',
    'never',
    'info',
    invalid,
    'The client left.',
    'Nothing; only the log sees this.',
  ),
  write_timeout: rule(
    499,
    'edge',
    'client',
    'never',
    'info',
    invalid,
    'The client took nothing of the answer for too long.',
    'Read faster, or raise timeouts.write_ms.',
  ),
  // 2 dialect
  invalid_json: rule(
    400,
    'dialect',
    'client',
    'never',
    'info',
    invalid,
    'The request body is not valid JSON.',
    'Send one JSON object.',
  ),
  missing_parameter: rule(
    400,
    'dialect',
    'client',
    'never',
    'info',
    invalid,
    'A required parameter is missing.',
    'Add the parameter that is named.',
  ),
  invalid_parameter: rule(
    400,
    'dialect',
    'client',
    'never',
    'info',
    invalid,
    'A parameter has a wrong type or value.',
    'Correct the parameter that is named.',
  ),
  ambiguous_parameter: rule(
    400,
    'dialect',
    'client',
    'never',
    'info',
    invalid,
    'A parameter is repeated, or its name is written with escapes or in other letter case.',
    'Send each parameter once, in plain letters: a provider might read the other one.',
  ),
  // 3 policy
  model_forbidden: rule(
    403,
    'policy',
    'policy',
    'never',
    'info',
    'permission_error',
    'This key may not use this model.',
    'Use a model that GET /models lists for this key.',
  ),
  rate_limited: rule(
    429,
    'policy',
    'policy',
    'never',
    'info',
    'rate_limit_error',
    'A rate limit of the gateway is reached.',
    'Wait as retry-after says; the rule is named.',
  ),
  budget_exceeded: rule(
    429,
    'policy',
    'policy',
    'never',
    'info',
    'insufficient_quota',
    'A budget of the gateway is spent.',
    'Wait for its reset, as retry-after says, or ask for more; the budget is named.',
  ),
  counters_away: rule(
    503,
    'policy',
    'gateway',
    'never',
    'warn',
    'server_error',
    'Limits cannot be counted.',
    'Try again; the operator must check store.counters, or set counters.when_away.',
  ),
  ledger_full: rule(
    503,
    'policy',
    'gateway',
    'never',
    'error',
    'server_error',
    'The ledger waits for its database and its journal has no more room.',
    'Retry later. Bring the database back, or raise ledger.max_journal_bytes.',
  ),
  // 4 routing
  invalid_model: rule(
    400,
    'routing',
    'client',
    'never',
    'info',
    invalid,
    'The model id is not well formed.',
    'Use 1 to 256 characters of A–Z a–z 0–9 . _ : / @ + - without `..` segments.',
  ),
  model_not_found: rule(
    404,
    'routing',
    'client',
    'never',
    'info',
    invalid,
    'There is no such model.',
    'GET /models lists what this key may use.',
  ),
  // 5 provider
  unsupported_parameter: rule(
    400,
    'provider',
    'client',
    'never',
    'info',
    invalid,
    'The chosen provider cannot express this parameter.',
    'Leave it out or choose another model.',
  ),
  unsupported_operation: rule(
    400,
    'provider',
    'client',
    'never',
    'info',
    invalid,
    'The chosen model does not serve this endpoint.',
    'Choose another model.',
  ),
  // 6 upstream
  connect_failed: rule(
    502,
    'upstream',
    'upstream',
    'next-target',
    'warn',
    'upstream_error',
    'The provider could not be reached.',
    'Check base_url, DNS and network; try again.',
  ),
  connect_timeout: rule(
    504,
    'upstream',
    'upstream',
    'next-target',
    'warn',
    'upstream_error',
    'Connecting to the provider took too long.',
    'Check the network, or raise timeouts.connect_ms.',
  ),
  first_byte_timeout: rule(
    504,
    'upstream',
    'upstream',
    'next-target',
    'warn',
    'upstream_error',
    'The provider sent no content in time.',
    'Try again, or raise timeouts.first_byte_ms.',
  ),
  first_token_timeout: rule(
    408,
    'upstream',
    'client',
    'next-target',
    'info',
    'upstream_error',
    'The first token did not come within the time the client set.',
    'Raise x-tfy-ttft-timeout-ms.',
  ),
  attempt_timeout: rule(
    504,
    'upstream',
    'upstream',
    'next-target',
    'info',
    'upstream_error',
    'The provider did not finish within the time the client set.',
    'Raise x-tfy-request-timeout.',
  ),
  idle_timeout: rule(
    504,
    'upstream',
    'upstream',
    'next-target',
    'warn',
    'upstream_error',
    'The provider went silent.',
    'Try again, or raise timeouts.idle_ms.',
  ),
  total_timeout: rule(
    504,
    'upstream',
    'upstream',
    'never',
    'warn',
    'upstream_error',
    'The exchange took longer than it may.',
    'Ask for less, or raise timeouts.total_ms.',
  ),
  upstream_queue_full: rule(
    503,
    'upstream',
    'gateway',
    'next-target',
    'warn',
    'server_error',
    'As many requests wait for this provider as may.',
    'Try again; or raise limits.max_upstream_connections or limits.max_upstream_queue.',
  ),
  upstream_cut: rule(
    502,
    'upstream',
    'upstream',
    'next-target',
    'warn',
    'upstream_error',
    'The provider closed the connection before its answer was complete.',
    'Try again.',
  ),
  upstream_protocol: rule(
    502,
    'upstream',
    'upstream',
    'next-target',
    'warn',
    'upstream_error',
    'The provider answered with something that is not understood.',
    'Check base_url; try again.',
  ),
  upstream_too_large: rule(
    502,
    'upstream',
    'upstream',
    'never',
    'warn',
    'upstream_error',
    'The provider sent more in one piece than the gateway holds.',
    'Ask for less, or raise limits.max_translate_bytes.',
  ),
  upstream_credential: rule(
    502,
    'provider',
    'gateway',
    'next-target',
    'error',
    'upstream_error',
    'The provider refused the credential of this gateway.',
    'The operator must check the account: its auth_data, its balance and what it may use.',
  ),
  upstream_failed: rule(
    502,
    'provider',
    'upstream',
    'next-target',
    'warn',
    'upstream_error',
    'The provider failed.',
    'Try again.',
  ),
  upstream_overloaded: rule(
    503,
    'provider',
    'upstream',
    'next-target',
    'warn',
    'upstream_error',
    'The provider is overloaded.',
    'Try again later.',
  ),
  upstream_rate_limited: rule(
    429,
    'provider',
    'upstream',
    'next-target',
    'info',
    'rate_limit_error',
    'The provider limits the rate of this account.',
    'Wait as retry-after says.',
  ),
  upstream_rejected: rule(
    400,
    'provider',
    'client',
    'never',
    'info',
    invalid,
    'The provider rejected the request.',
    'See the message; the status is the provider’s own.',
  ),
  upstream_stream_error: rule(
    502,
    'relay',
    'upstream',
    'next-target',
    'warn',
    'upstream_error',
    'The provider reported an error inside its stream.',
    'Try again.',
  ),
  // the gateway itself
  internal_error: rule(
    500,
    'gateway',
    'gateway',
    'never',
    'error',
    'server_error',
    'The gateway failed.',
    'Tell the operator the x-request-id; it is in the log.',
  ),
} as const satisfies Record<string, ErrorRule>;

export type ErrorCode = keyof typeof ERRORS;

export interface ErrorContext {
  /** What exactly was wrong: added to the table's message. Must not hold a secret. */
  detail?: string;
  /** The request parameter or header at fault. */
  param?: string;
  /** The configuration key or request header whose value caused it, with that value. */
  setting?: string;
  /** `account/model`. */
  target?: string;
  /** The status to show where the table's own does not decide (a provider's verdict that passes). */
  status?: number;
  /** A provider's own error type and code, which pass with its verdict. */
  upstreamType?: string;
  upstreamCode?: string;
  /** Milliseconds or undefined; becomes `retry-after` on our own refusals. */
  retryAfterMs?: number;
  /** Flat name-value pairs for our own refusal, as `x-ratelimit-…`. */
  headers?: readonly string[];
  /** As in `x-tfy-applied-rules`, for the record: which rules applied, and which one refused. */
  rulesJson?: string;
  /** What was thrown; for the log only. */
  cause?: unknown;
}

export class GatewayError {
  readonly code: ErrorCode;
  readonly context: ErrorContext;

  constructor(code: ErrorCode, context: ErrorContext = {}) {
    this.code = code;
    this.context = context;
  }

  get rule(): ErrorRule {
    return ERRORS[this.code];
  }

  get status(): number {
    return this.context.status ?? ERRORS[this.code].status;
  }

  /** One sentence or three: what, exactly what, which setting. */
  get message(): string {
    const { detail, setting } = this.context;
    if (this.code === 'upstream_rejected' && detail) return detail;
    let text: string = ERRORS[this.code].message;
    if (detail) text += ` ${detail}`;
    if (setting) text += ` (${setting})`;
    return text;
  }
}
