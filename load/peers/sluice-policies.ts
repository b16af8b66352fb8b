/** The policy documents of a load run: every limit is on and so high that it refuses nothing. */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';

export type Policy = { name: string; kind: string; yaml: string };

const CHECK_MS = 20_000;

const POLICIES: Policy[] = [
  {
    name: 'rate limit',
    kind: 'gateway-rate-limiting-config',
    yaml: `type: gateway-rate-limiting-config
rules:
  - id: load-requests
    when: {subjects: ["virtualaccount:load"]}
    limit_to: 1000000000
    unit: requests_per_minute
    rate_limit_applies_per: [virtualaccount]
  - {id: load-tokens, when: {}, limit_to: 1000000000000, unit: tokens_per_minute, rate_limit_applies_per: [model]}
`,
  },
  {
    name: 'budget',
    kind: 'gateway-budget-config',
    yaml: `type: gateway-budget-config
rules:
  - id: load-budget
    when: {subjects: ["virtualaccount:load"]}
    limit_to: 1000000000
    unit: cost_per_day
    budget_applies_per: [virtualaccount]
`,
  },
];

/** Those that the gateway of this checkout knows: it refuses an unknown kind by name, and `check` says which. */
export function supportedPolicies(root: string, file: string): Policy[] {
  writeFileSync(file, POLICIES.map(({ yaml }) => yaml).join('---\n'));
  const check = spawnSync(process.execPath, ['src/main.ts', 'check', file], { cwd: root, timeout: CHECK_MS });
  const said = `${check.stdout}${check.stderr}`;
  return POLICIES.filter(({ kind }) => !said.includes(`\`${kind}\` is not supported`));
}
