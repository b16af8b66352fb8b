import { clientFault, type ErrorRule, gatewayFault, policyRefusal } from './error-rule.ts';

/** Why the operator port refuses: console, admin API, and what they ask of the database. */
export const OPERATOR_ERRORS = {
  session_ended: clientFault({
    status: 401,
    stage: 'edge',
    type: 'authentication_error',
    message: 'The session of the console has ended.',
    remedy: 'Sign in again.',
  }),
  sign_in_refused: clientFault({
    status: 401,
    stage: 'edge',
    type: 'authentication_error',
    message: 'Nobody was signed in.',
    remedy: 'Sign in again, or ask who runs the gateway.',
  }),
  sign_in_limited: clientFault({
    status: 429,
    stage: 'edge',
    type: 'rate_limit_error',
    message: 'Too many sign-ins failed.',
    remedy: 'Wait as long as `retry-after` says.',
  }),
  cross_site_refused: clientFault({
    status: 403,
    stage: 'edge',
    type: 'permission_error',
    message: 'The request does not come from the console that is signed in.',
    remedy:
      'Send the header `x-csrf-token` of the session from the same origin; behind a proxy set `console.public_url`.',
  }),
  role_needed: policyRefusal({
    status: 403,
    type: 'permission_error',
    message: 'Your role in the console does not allow this.',
    remedy: 'Ask who runs the gateway for another role (`console.roles`).',
  }),
  data_access_needed: policyRefusal({
    status: 403,
    type: 'permission_error',
    message: 'This shows data of everybody, and you may not see all of it.',
    remedy: 'Ask who runs the gateway for a rule of `gateway-data-access-config`.',
  }),
  identity_provider_failed: gatewayFault({
    status: 502,
    stage: 'edge',
    message: 'The identity provider could not be asked.',
    remedy: 'Try again; the log of the gateway says what it answered.',
  }),
  database_away: gatewayFault({
    stage: 'edge',
    message: 'The database does not answer.',
    remedy: 'Try again later; requests to models go on without it.',
  }),
  not_found: clientFault({
    status: 404,
    stage: 'edge',
    level: 'debug',
    message: 'There is nothing of this name.',
    remedy: 'List what there is; a new entry may take a second.',
  }),
  conflict: clientFault({
    status: 409,
    stage: 'edge',
    message: 'Its state does not allow this.',
    remedy: 'See the message for what is there.',
  }),
} as const satisfies Record<string, ErrorRule>;
