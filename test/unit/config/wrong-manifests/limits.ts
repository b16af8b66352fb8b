// biome-ignore-all lint/suspicious/noTemplateCurlyInString: `${env:NAME}` is our own syntax, not a template
import type { WrongManifest } from './wrong-manifest.ts';

/** Rate limits and budgets. */
export const limits: readonly WrongManifest[] = [
  {
    wrong: 'a unit misspelt',
    manifest: ['type: gateway-rate-limiting-config', 'rules: [{id: a, limit_to: 10, unit: request_per_minute}]'],
    prints: [
      'a.yaml:2:37 rules[0].unit: this value is not allowed — found the text "request_per_minute"; allowed: `requests_per_minute`, `requests_per_hour`, `requests_per_day`, `requests_per_week`, `requests_per_month`, `tokens_per_minute`, `tokens_per_hour`, `tokens_per_day`, `tokens_per_week`, `tokens_per_month`, `cost_per_minute`, `cost_per_hour`, `concurrent_requests`. Did you mean `requests_per_minute`?',
    ],
  },
  {
    wrong: 'a unit of seconds',
    manifest: ['type: gateway-rate-limiting-config', 'rules: [{id: a, limit_to: 10, unit: requests_per_second}]'],
    prints: [
      'a.yaml:2:37 rules[0].unit: this value is not allowed — found the text "requests_per_second"; allowed: `requests_per_minute`, `requests_per_hour`, `requests_per_day`, `requests_per_week`, `requests_per_month`, `tokens_per_minute`, `tokens_per_hour`, `tokens_per_day`, `tokens_per_week`, `tokens_per_month`, `cost_per_minute`, `cost_per_hour`, `concurrent_requests`',
    ],
  },
  {
    wrong: 'a limit as text',
    manifest: ['type: gateway-rate-limiting-config', 'rules: [{id: a, limit_to: "10", unit: requests_per_minute}]'],
    prints: [
      'a.yaml:2:27 rules[0].limit_to: wrong type — found the text "10"; allowed: a number, 0 or more. Write it without quotes',
    ],
  },
  {
    wrong: 'a limit with an underscore',
    manifest: ['type: gateway-rate-limiting-config', 'rules: [{id: a, limit_to: 10_000, unit: requests_per_minute}]'],
    prints: [
      'a.yaml:2:27 rules[0].limit_to: wrong type — found the text "10_000"; allowed: a number, 0 or more. Write the number alone: `10000`',
    ],
  },
  {
    wrong: 'a fraction of a request',
    manifest: ['type: gateway-rate-limiting-config', 'rules: [{id: a, limit_to: 0.5, unit: requests_per_minute}]'],
    prints: [
      'a.yaml:2:27 rules[0].limit_to: this value is not allowed — found 0.5; allowed: a whole number from 0 to 9007199254740991 (requests)',
    ],
  },
  {
    wrong: 'a negative limit',
    manifest: ['type: gateway-rate-limiting-config', 'rules: [{id: a, limit_to: -1, unit: requests_per_minute}]'],
    prints: ['a.yaml:2:27 rules[0].limit_to: this value is not allowed — found -1; allowed: a number, 0 or more'],
  },
  {
    wrong: 'a rule without id',
    manifest: ['type: gateway-rate-limiting-config', 'rules: [{limit_to: 1, unit: requests_per_minute}]'],
    prints: [
      'a.yaml:2:9 rules[0].id: this key is missing — allowed: one line of text, 1 to 256 characters, without control characters',
    ],
  },
  {
    wrong: '`rule` in place of `rules`',
    manifest: ['type: gateway-rate-limiting-config', 'rule: [{id: a, limit_to: 1, unit: requests_per_minute}]'],
    prints: [
      'a.yaml:2:1 rule: the key `rule` is not known here, and what it seems to mean would not hold. Did you mean `rules`?',
    ],
  },
  {
    wrong: 'rules as a map',
    manifest: ['type: gateway-rate-limiting-config', 'rules: {id: a, limit_to: 1, unit: requests_per_minute}'],
    prints: ['a.yaml:2:8 rules: wrong type — found a map; allowed: a list. Write a list: each entry begins with `- `'],
  },
  {
    wrong: '`limit` in place of `limit_to`',
    manifest: ['type: gateway-rate-limiting-config', 'rules: [{id: a, limit: 1, unit: requests_per_minute}]'],
    prints: [
      'a.yaml:2:9 rules[0].limit_to: this key is missing — allowed: a number, 0 or more',
      'a.yaml:2:17 rules[0].limit: the key `limit` is not known here, and what it seems to mean would not hold. Did you mean `limit_to`?',
    ],
  },
  {
    wrong: '`subject` in place of `subjects`',
    manifest: [
      'type: gateway-rate-limiting-config',
      'rules: [{id: a, when: {subject: ["team:search"]}, limit_to: 1, unit: requests_per_minute}]',
    ],
    prints: [
      'a.yaml:2:24 rules[0].when.subject: the key `subject` is not known here, and what it seems to mean would not hold. Did you mean `subjects`?',
    ],
  },
  {
    wrong: '`subjects` beside `when`',
    manifest: [
      'type: gateway-rate-limiting-config',
      'rules: [{id: a, subjects: ["team:search"], limit_to: 1, unit: requests_per_minute}]',
    ],
    prints: [
      'a.yaml:2:17 rules[0].subjects: the key `subjects` does not belong here, and what it means would not hold. Its place is `rules[].when.subjects`',
    ],
  },
  {
    wrong: '`if` in place of `when`',
    manifest: [
      'type: gateway-rate-limiting-config',
      'rules: [{id: a, if: {subjects: ["team:search"]}, limit_to: 1, unit: requests_per_minute}]',
    ],
    prints: [
      'a.yaml:2:17 rules[0].if: the key `if` is not known here, and what it seems to mean would not hold. Did you mean `when`?',
    ],
  },
  {
    wrong: '`wehn` in place of `when`',
    manifest: [
      'type: gateway-rate-limiting-config',
      'rules: [{id: a, wehn: {subjects: ["team:search"]}, limit_to: 1, unit: requests_per_minute}]',
    ],
    prints: [
      'a.yaml:2:17 rules[0].wehn: the key `wehn` is not known here, and what it seems to mean would not hold. Did you mean `when`?',
    ],
  },
  {
    wrong: '`models` without their account',
    manifest: [
      'type: gateway-rate-limiting-config',
      'rules: [{id: a, when: {models: [gpt-4o]}, limit_to: 1, unit: requests_per_minute}]',
      '---',
      'type: provider-account/openai',
      'name: main',
      'auth_data: {type: api-key, api_key: "${env:KEY}"}',
      'integrations: [{name: gpt-4o, type: integration/model/openai, model_id: gpt-4o, model_types: [chat]}]',
    ],
    prints: [
      'a.yaml:2:33 rules[0].when.models[0]: warning: there is no model `gpt-4o`, so this rule never matches. Did you mean `main/gpt-4o`?',
    ],
  },
  {
    wrong: '`rate_limit_apply_per`',
    manifest: [
      'type: gateway-rate-limiting-config',
      'rules: [{id: a, limit_to: 1, unit: requests_per_minute, rate_limit_apply_per: [user]}]',
    ],
    prints: [
      'a.yaml:2:57 rules[0].rate_limit_apply_per: the key `rate_limit_apply_per` is not known here, and what it seems to mean would not hold. Did you mean `rate_limit_applies_per`?',
    ],
  },
  {
    wrong: 'a group that is not known',
    manifest: [
      'type: gateway-rate-limiting-config',
      'rules: [{id: a, limit_to: 1, unit: requests_per_minute, rate_limit_applies_per: [team]}]',
    ],
    prints: [
      'a.yaml:2:82 rules[0].rate_limit_applies_per[0]: this value is not allowed — found the text "team"; allowed: `user`, `virtualaccount`, `model` or `metadata.<key>`',
    ],
  },
  {
    wrong: 'a metadata group without its key',
    manifest: [
      'type: gateway-rate-limiting-config',
      'rules: [{id: a, limit_to: 1, unit: requests_per_minute, rate_limit_applies_per: [metadata]}]',
    ],
    prints: [
      'a.yaml:2:82 rules[0].rate_limit_applies_per[0]: this value is not allowed — found the text "metadata"; allowed: `user`, `virtualaccount`, `model` or `metadata.<key>`',
    ],
  },
  {
    wrong: 'one rule id twice',
    manifest: [
      'type: gateway-rate-limiting-config',
      'rules:',
      '  - {id: a, when: {subjects: ["team:x"]}, limit_to: 1, unit: requests_per_minute}',
      '  - {id: a, limit_to: 2, unit: requests_per_minute}',
    ],
    prints: ['a.yaml:4:10 rules[1].id: this rule id stands already in a.yaml:3:10'],
  },
  {
    wrong: 'a rule behind one that matches all',
    manifest: [
      'type: gateway-rate-limiting-config',
      'rules:',
      '  - {id: all, limit_to: 100, unit: requests_per_minute}',
      '  - {id: ci, when: {subjects: ["virtualaccount:ci"]}, limit_to: 1, unit: requests_per_minute}',
    ],
    prints: [
      'a.yaml:4:5 rules[1]: warning: rule `ci` never counts: the first rule that matches decides, and `all` (a.yaml:3:5) matches all that it does. Put it before that one',
    ],
  },
  {
    wrong: 'a subject of an unknown kind',
    manifest: [
      'type: gateway-rate-limiting-config',
      'rules: [{id: a, when: {subjects: ["group:search"]}, limit_to: 1, unit: requests_per_minute}]',
    ],
    prints: [
      'a.yaml:2:34 rules[0].when.subjects: warning: `group:search`: of this kind there is nobody here, so this rule never matches — allowed: `user:…`, `team:…`, `virtualaccount:…`',
    ],
  },
  {
    wrong: 'a budget unit of a rate limit',
    manifest: ['type: gateway-budget-config', 'rules: [{id: a, limit_to: 10, unit: cost_per_hour}]'],
    prints: [
      'a.yaml:2:37 rules[0].unit: this value is not allowed — found the text "cost_per_hour"; allowed: `cost_per_day`, `cost_per_week`, `cost_per_month`, `cost_per_quarter`, `tokens_per_day`, `tokens_per_month`. Did you mean `cost_per_day` or `cost_per_month` or `cost_per_week`?',
    ],
  },
  {
    wrong: '`budget_applies_to`',
    manifest: [
      'type: gateway-budget-config',
      'rules: [{id: a, limit_to: 10, unit: cost_per_day, budget_applies_to: [user]}]',
    ],
    prints: [
      'a.yaml:2:51 rules[0].budget_applies_to: the key `budget_applies_to` is not known here, and what it seems to mean would not hold. Did you mean `budget_applies_per`?',
    ],
  },
  {
    wrong: 'a budget that audits and enforces',
    manifest: [
      'type: gateway-budget-config',
      'rules: [{id: a, limit_to: 10, unit: cost_per_day, audit_mode: true, mode: enforce}]',
    ],
    prints: [
      'a.yaml:2:75 rules[0].mode: this value is not allowed — found the text "enforce"; allowed: `audit`, as `audit_mode: true` says, or none',
    ],
  },
  {
    wrong: 'a downgrade without its model',
    manifest: ['type: gateway-budget-config', 'rules: [{id: a, limit_to: 10, unit: cost_per_day, mode: downgrade}]'],
    prints: [
      'a.yaml:2:9 rules[0].downgrade_to: this key is missing — allowed: the cheaper model that is asked instead, as `account/model`',
    ],
  },
  {
    wrong: 'a channel that is not there',
    manifest: [
      'type: gateway-budget-config',
      'rules: [{id: a, limit_to: 10, unit: cost_per_day, alerts: {notification_target: [{type: slack-webhook, notification_channel: slack/costs}]}}]',
    ],
    prints: [
      'a.yaml:2:126 rules[0].alerts.notification_target[0].notification_channel: there is no such channel — found the text "slack/costs"; allowed: `<account>/<integration>` of a notification channel',
    ],
  },
  {
    wrong: 'dollars with their sign',
    manifest: ['type: tenant-budget-config', 'name: all', 'limits: {cost_per_day: $10}', 'mode: enforce'],
    prints: [
      'a.yaml:3:24 limits.cost_per_day: wrong type — found the text "$10"; allowed: US dollars, a number from 0 to 9007199. Write the number alone: `10`',
    ],
  },
  {
    wrong: 'a budget without a mode',
    manifest: ['type: tenant-budget-config', 'name: all', 'limits: {cost_per_day: 10}'],
    prints: ['a.yaml:1:1 mode: this key is missing — allowed: `enforce`, `audit`, `downgrade`, `cut`'],
  },
  {
    wrong: '`limit` in place of `limits`',
    manifest: ['type: tenant-budget-config', 'name: all', 'limit: {cost_per_day: 10}', 'mode: enforce'],
    prints: [
      'a.yaml:1:1 limits: this key is missing — allowed: a map',
      'a.yaml:3:1 limit: the key `limit` is not known here, and what it seems to mean would not hold. Did you mean `limits`?',
    ],
  },
  {
    wrong: '`cost_per_mounth`',
    manifest: [
      'type: tenant-budget-config',
      'name: all',
      'limits: {cost_per_mounth: 10, cost_per_day: 1}',
      'mode: enforce',
    ],
    prints: [
      'a.yaml:3:10 limits.cost_per_mounth: the key `cost_per_mounth` is not known here, and what it seems to mean would not hold. Did you mean `cost_per_month`?',
    ],
  },
  {
    wrong: '`user` in place of `users`',
    manifest: [
      'type: tenant-budget-config',
      'name: all',
      'when: {subjects: {user: {in: [a@b.c]}}}',
      'limits: {cost_per_day: 10}',
      'mode: enforce',
    ],
    prints: [
      'a.yaml:3:19 when.subjects.user: the key `user` is not known here, and what it seems to mean would not hold. Did you mean `users`?',
    ],
  },
  {
    wrong: 'a list in place of in and not_in',
    manifest: [
      'type: tenant-budget-config',
      'name: all',
      'when: {models: ["main/gpt-4o"]}',
      'limits: {cost_per_day: 10}',
      'mode: enforce',
    ],
    prints: [
      'a.yaml:3:16 when.models: wrong type — found a list of 1; allowed: a map of `in` and `not_in`, each of them a list',
    ],
  },
  {
    wrong: '`not` in place of `not_in`',
    manifest: [
      'type: tenant-budget-config',
      'name: all',
      'when: {subjects: {teams: {not: [search]}}}',
      'limits: {cost_per_day: 10}',
      'mode: enforce',
    ],
    prints: [
      'a.yaml:3:27 when.subjects.teams.not: the key `not` is not known here, and what it seems to mean would not hold. Did you mean `not_in`?',
    ],
  },
  {
    wrong: 'a team budget without its team',
    manifest: ['type: team-budget-config', 'name: all', 'team: search', 'limits: {cost_per_day: 10}', 'mode: enforce'],
    prints: [
      'a.yaml:1:1 team_name: this key is missing — allowed: a name of 1 to 256 characters',
      'a.yaml:3:1 team: warning: the key `team` is not known here and has no effect. Did you mean `team_name`?',
    ],
  },
  {
    wrong: 'a per-user budget with overrides of another kind',
    manifest: [
      'type: tenant-budget-config',
      'name: all',
      'limits: {cost_per_day: 10}',
      'mode: enforce',
      'applies_to: {type: per-user, overrides: [{models: ["main/x"], limits: {cost_per_day: 1}}]}',
    ],
    prints: [
      'a.yaml:5:42 applies_to.overrides[0].users: this key is missing — allowed: a list',
      'a.yaml:5:43 applies_to.overrides[0].models: the key `models` does not belong here, and what it means would not hold. Its place is `when.models` or `applies_to.overrides[].models`',
    ],
  },
  {
    wrong: 'two budgets with one name',
    manifest: [
      'type: tenant-budget-config',
      'name: all',
      'limits: {cost_per_day: 10}',
      'mode: enforce',
      '---',
      'type: team-budget-config',
      'name: all',
      'team_name: search',
      'limits: {cost_per_day: 1}',
      'mode: enforce',
    ],
    prints: ['a.yaml:7:7 name: this name of a budget stands already in a.yaml:2:7'],
  },
];
