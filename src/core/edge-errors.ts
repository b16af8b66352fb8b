import { clientFault, type ErrorRule, gatewayFault } from './error-rule.ts';

/** Why a request is refused on its head or while its body comes in: stage 1. */
export const EDGE_ERRORS = {
  path_not_found: clientFault({
    status: 404,
    stage: 'edge',
    level: 'debug',
    message: 'There is no such path.',
    remedy: 'See /openapi.json for the paths that exist.',
  }),
  not_supported_yet: clientFault({
    status: 404,
    stage: 'edge',
    level: 'debug',
    message: 'This endpoint is not built yet.',
    remedy: 'See /openapi.json for the paths that exist.',
  }),
  method_not_allowed: clientFault({
    status: 405,
    stage: 'edge',
    level: 'debug',
    message: 'This path does not take this method.',
    remedy: 'Use a method named in the allow header.',
  }),
  missing_api_key: clientFault({
    status: 401,
    stage: 'edge',
    type: 'authentication_error',
    message: 'No API key was sent.',
    remedy: 'Send it as `Authorization: Bearer KEY`.',
  }),
  invalid_api_key: clientFault({
    status: 401,
    stage: 'edge',
    type: 'authentication_error',
    message: 'The API key is not valid.',
    remedy: 'Check the key; it may be mistyped, expired or revoked.',
  }),
  issuer_keys_unavailable: gatewayFault({
    stage: 'edge',
    message: 'The signing keys of the token’s issuer are not known yet.',
    remedy: 'Try again in a second; if it lasts, the operator must check jwks_uri and the log.',
  }),
  invalid_header: clientFault({
    status: 400,
    stage: 'edge',
    message: 'A request header is not acceptable.',
    remedy: 'Correct the header that is named.',
  }),
  origin_forbidden: clientFault({
    status: 403,
    stage: 'edge',
    type: 'permission_error',
    message: 'Pages of this origin may not call MCP servers.',
    remedy: 'Call from a program, or add the origin to cors.allowed_origins.',
  }),
  body_too_large: clientFault({
    status: 413,
    stage: 'edge',
    message: 'The request body is too large.',
    remedy: 'Send less, or raise limits.max_body_bytes.',
  }),
  unsupported_encoding: clientFault({
    status: 415,
    stage: 'edge',
    message: 'The request body is compressed in a way that is not understood.',
    remedy: 'Compress it as the accept-encoding header of this answer says, or not at all.',
  }),
  invalid_encoding: clientFault({
    status: 400,
    stage: 'edge',
    message: 'The request body cannot be decoded.',
    remedy: 'Send what content-encoding says, whole and with nothing behind it.',
  }),
  body_timeout: clientFault({
    status: 408,
    stage: 'edge',
    message: 'The request body did not arrive in time.',
    remedy: 'Send faster, or raise timeouts.body_ms.',
  }),
  body_memory_full: gatewayFault({
    stage: 'edge',
    message: 'The gateway holds as many request bodies as it may.',
    remedy: 'Try again; or raise limits.max_body_memory_bytes.',
  }),
  overloaded: gatewayFault({
    stage: 'edge',
    message: 'The gateway is serving as many requests as it may.',
    remedy: 'Try again; or raise limits.max_in_flight.',
  }),
  session_queue_full: clientFault({
    status: 429,
    stage: 'edge',
    message: 'More waits for the provider of this session than may.',
    remedy: 'Send more slowly, or raise realtime.max_waiting_bytes.',
  }),
  session_over: clientFault({
    status: 400,
    stage: 'edge',
    message: 'The time of this session is over.',
    remedy: 'Open a new session.',
  }),
  socket_queue_full: clientFault({
    status: 429,
    stage: 'edge',
    type: 'rate_limit_error',
    message: 'As many turns wait on this WebSocket as may.',
    remedy: 'Wait until one of them has ended, or open another connection.',
  }),
  draining: gatewayFault({
    stage: 'edge',
    level: 'info',
    message: 'The gateway is shutting down.',
    remedy: 'Try again; another instance or the next one will answer.',
  }),
  client_closed: clientFault({
    status: 499,
    stage: 'edge',
    message: 'The client left.',
    remedy: 'Nothing; only the log sees this.',
  }),
  write_timeout: clientFault({
    status: 499,
    stage: 'edge',
    message: 'The client took nothing of the answer for too long.',
    remedy: 'Read faster, or raise timeouts.write_ms.',
  }),
  invalid_path: clientFault({
    status: 400,
    stage: 'edge',
    message: 'The path cannot be passed on.',
    remedy:
      'Write it without `.` and `..` segments, empty segments, backslashes and control characters, encoded ones neither.',
  }),
} as const satisfies Record<string, ErrorRule>;
