/**
 * What a virtual model adds to an exchange: its plan, and what is told of the attempt that answered. Three healthy
 * targets in real shared memory; another thread is not in the way.
 */
import assert from 'node:assert/strict';
import type { RoutingSettings } from '../../src/config/rules/routing-settings.ts';
import { GatewayError } from '../../src/core/errors.ts';
import { BalancedRoute } from '../../src/routing/balanced-route.ts';
import { HealthMemory } from '../../src/routing/place.ts';
import { NO_WAITS, type PlanContext, type Route, TargetRoute } from '../../src/routing/route-plan.ts';
import { type BenchTask, subjectOf, task } from '../harness/subject.ts';
import { openAiAccount } from '../inputs/openai-account.ts';
import { settings } from '../inputs/settings.ts';

const NAMES = ['a', 'b', 'c'];
const target = openAiAccount().listed[0]!;

const context: PlanContext = {
  waits: NO_WAITS,
  retry: undefined,
  subject: 'user:bench',
  metadata: {},
  header: () => 'session-1',
  canAsk: () => true,
  conditionValues: () => ({
    subject: 'user:test',
    metadata: {},
    operation: 'chat',
    stream: true,
    body_bytes: 100,
    max_output_tokens: 0,
    hour: 12,
  }),
  complexity: () => ({ tier: 'simple', cause: 'signs' }),
};

export const inputs = { targets: NAMES };

export const subject = subjectOf([
  exchange('model of an account', new TargetRoute(target)),
  exchange('three targets by weight', routeOf({ strategy: 'weight' })),
  exchange('three targets by priority', routeOf({ strategy: 'priority' })),
  exchange('three targets by latency', routeOf({ strategy: 'latency' })),
  exchange(
    'three targets by weight, sticky',
    routeOf({ strategy: 'weight', sticky: { ttlMs: 60_000, identifiers: [{ source: 'headers', key: 'x-session' }] } }),
  ),
]);

function routeOf(routing: Omit<RoutingSettings, 'targets'>): Route {
  const targets = NAMES.map((name, priority) => ({
    target: `${name}/m`,
    weight: 10,
    priority,
    fallbackCandidate: true,
  }));
  return new BalancedRoute({
    model: 'group/model',
    routing: { ...routing, targets },
    targetsOf: (id) => [{ ...target, id, account: id.slice(0, 1) }],
    memory: new HealthMemory(() => performance.now()),
    laws: settings.routing,
  });
}

/** From the plan to a whole answer. */
function exchange(name: string, route: Route): BenchTask {
  return task({
    name,
    run: () => {
      const plan = route.plan(context);
      if (plan instanceof GatewayError) throw new Error(plan.code);
      const { observer, target: chosen } = plan.first;
      observer?.asked();
      observer?.contentCame();
      observer?.answered(200, 10);
      return chosen.id;
    },
    check: (id) => assert.ok(route.targets.some((each) => each.id === id)),
  });
}
