/**
 * The policy documents of a load run: ten rate rules, of which the last matches every request and counts it, and five
 * budgets that all do; so high that none refuses.
 */
const RATE_LIMITS = `type: gateway-rate-limiting-config
rules:
  - {id: strangers, when: {subjects: ["user:nobody@example.com"]}, limit_to: 1, unit: requests_per_minute}
  - {id: another-model, when: {models: ["other/*"]}, limit_to: 1, unit: requests_per_hour}
  - {id: staging, when: {metadata: {env: staging}}, limit_to: 1, unit: requests_per_day}
  - {id: a-team, when: {subjects: ["team:nobody"]}, limit_to: 1, unit: requests_per_minute}
  - {id: token-strangers, when: {subjects: ["user:nobody@example.com"]}, limit_to: 1, unit: tokens_per_minute}
  - {id: token-another-model, when: {models: ["other/*"]}, limit_to: 1, unit: tokens_per_hour}
  - {id: token-staging, when: {metadata: {env: staging}}, limit_to: 1, unit: tokens_per_day}
  - {id: token-a-team, when: {subjects: ["team:nobody"]}, limit_to: 1, unit: tokens_per_minute}
  - {id: another-account, when: {subjects: ["virtualaccount:nobody"]}, limit_to: 1, unit: requests_per_minute}
  - id: load-tokens
    when: {subjects: ["virtualaccount:load"]}
    limit_to: 1000000000000
    unit: tokens_per_minute
    rate_limit_applies_per: [virtualaccount, model]
`;

const BUDGETS = `type: gateway-budget-config
rules:
  - id: load-budget
    when: {subjects: ["virtualaccount:load"]}
    limit_to: 1000000
    unit: cost_per_day
    budget_applies_per: [virtualaccount]
${['aggregate', 'per-model', 'per-virtual-account', 'per-user']
  .map(
    (type) => `---
type: tenant-budget-config
name: load-${type}
when: {}
limits: {cost_per_month: 1000000}
applies_to: {type: ${type}}
mode: enforce
`,
  )
  .join('')}`;

export const POLICIES = `${RATE_LIMITS}---\n${BUDGETS}`;
