import { z } from 'zod';
import { matchOfRule, ruleConditions } from '../rules/conditions.ts';
import { checkRouting, routingKeys, routingOf } from '../rules/routing.ts';
import type { LoadBalancingRule } from '../rules/routing-settings.ts';
import { checkRules } from '../rules/rule-checks.ts';
import { optionalKey, restricting, text } from '../scalar-schema.ts';
import { manifestKind } from './manifest-kind.ts';
import { virtualNames } from './virtual-model.ts';

/** `gateway-load-balancing-config`, the form before virtual models: requests for a model go to others by rule. */

const rule = z
  .object({
    id: text(256).describe('Stands in receipts.'),
    when: ruleConditions,
    ...routingKeys,
  })
  .transform(
    (written, context): LoadBalancingRule => ({
      id: written.id,
      match: matchOfRule(written.when),
      routing: routingOf(written, context),
    }),
  );

const schema = restricting(
  z.object({
    type: z.literal('gateway-load-balancing-config'),
    name: optionalKey(text(256)).describe('Of older forms; has no effect.'),
    rules: z
      .array(rule)
      .nullish()
      .transform((rules) => rules ?? [])
      .describe('The first that matches a request decides.'),
  }),
);

export const gatewayLoadBalancingConfig = manifestKind({
  type: 'gateway-load-balancing-config',
  schema,
  uniqueKeys: [{ path: 'rules[].id', what: 'this rule id' }],
  check(written, context) {
    const virtual = virtualNames(context);
    for (const { manifest, value } of written) {
      checkRules(
        value.rules.map((each, index) => ({ rule: each, manifest, path: ['rules', index] })),
        'never decides: the first rule that matches does',
        context,
      );
      for (const [index, { routing }] of value.rules.entries()) {
        checkRouting(routing, manifest, ['rules', index], virtual, context);
      }
    }
  },
  part: (written): { loadBalancing: LoadBalancingRule[] } => ({
    loadBalancing: written.flatMap(({ value }) => value.rules),
  }),
});
