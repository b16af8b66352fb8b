import { clientFault, type ErrorRule, gatewayFault, policyRefusal } from './error-rule.ts';

/** What stands against a request that is well formed: access, limits, budgets, guardrails. Stage 3. */
export const POLICY_ERRORS = {
  model_forbidden: policyRefusal({
    status: 403,
    type: 'permission_error',
    message: 'This key may not use this model.',
    remedy: 'Use a model that GET /models lists for this key.',
  }),
  rate_limited: policyRefusal({
    status: 429,
    type: 'rate_limit_error',
    message: 'A rate limit of the gateway is reached.',
    remedy: 'Wait as retry-after says; the rule is named.',
  }),
  budget_exceeded: policyRefusal({
    status: 429,
    type: 'insufficient_quota',
    message: 'A budget of the gateway is spent.',
    remedy: 'Wait for its reset, as retry-after says, or ask for more; the budget is named.',
  }),
  counters_away: gatewayFault({
    stage: 'policy',
    message: 'Limits cannot be counted.',
    remedy: 'Try again; the operator must check store.counters, or set counters.when_away.',
  }),
  cache_away: gatewayFault({
    stage: 'policy',
    message: 'The Redis of cached answers does not answer.',
    remedy: 'Try again; the operator must check store.cache.',
  }),
  ledger_full: gatewayFault({
    stage: 'policy',
    level: 'error',
    message: 'The ledger has no room for the record of another exchange.',
    remedy:
      'Retry later. The operator must bring the database back, raise ledger.max_journal_bytes or free the disk of data_dir.',
  }),
  guardrail_blocked: policyRefusal({
    status: 400,
    type: 'guardrail_checks_failed',
    message: 'A guardrail refused this.',
    remedy: 'Change what is asked; the operator can tell which guardrail found what.',
  }),
  guardrail_unavailable: gatewayFault({
    stage: 'policy',
    level: 'error',
    type: 'guardrail_checks_failed',
    message: 'A guardrail that has to be asked did not answer.',
    remedy: 'Try again; the operator must check the guardrail, or let its errors pass by its enforcing_strategy.',
  }),
  unknown_guardrail: clientFault({
    status: 400,
    stage: 'policy',
    message: 'There is no such guardrail, or it is not yours to name.',
    remedy: 'Name guardrails as `group/guardrail`, as the operator configured them.',
  }),
} as const satisfies Record<string, ErrorRule>;
