import { z } from 'zod';
import { matchOfRule, ruleConditionKeys, WHEN_NAMES } from '../rules/conditions.ts';
import { checkTargets, modelName, overrideParams, statuses } from '../rules/routing.ts';
import type { FallbackRule } from '../rules/routing-settings.ts';
import { optionalKey, restricting, text } from '../scalar-schema.ts';
import { manifestKind } from './manifest-kind.ts';
import { virtualNames } from './virtual-model.ts';

/** `gateway-fallback-config`, an older form: who is asked after a model failed, by the status that it failed with. */

const rule = z
  .object({
    id: text(256).describe('Stands in receipts.'),
    when: restricting(
      z.object({
        ...ruleConditionKeys,
        response_status_codes: statuses.describe("The provider's own statuses after which the next model is asked."),
      }),
      WHEN_NAMES,
    ).describe('Which requests it is about; all that is given must hold.'),
    fallback_models: z
      .array(
        z.object({
          target: modelName.describe('The model that is asked, as `account/model`.'),
          override_params: optionalKey(overrideParams).describe('Parameters that stand over those of the request.'),
        }),
      )
      .min(1, { error: 'at least one model' })
      .max(64, { error: 'at most 64 models' })
      .describe('In this order.'),
  })
  .transform(
    ({ id, when, fallback_models: models }): FallbackRule => ({
      id,
      match: matchOfRule(when),
      statuses: when.response_status_codes,
      targets: models.map(({ target, override_params: overrideParams }) => ({ target, overrideParams })),
    }),
  );

const schema = restricting(
  z.object({
    type: z.literal('gateway-fallback-config'),
    name: optionalKey(text(256)).describe('Has no effect.'),
    rules: z
      .array(rule)
      .nullish()
      .transform((rules) => rules ?? [])
      .describe('The first that matches a request decides.'),
  }),
);

export const gatewayFallbackConfig = manifestKind({
  type: 'gateway-fallback-config',
  schema,
  uniqueKeys: [{ path: 'rules[].id', what: 'this rule id' }],
  check(written, context) {
    const virtual = virtualNames(context);
    for (const { manifest, value } of written) {
      for (const [index, { targets }] of value.rules.entries()) {
        checkTargets(targets, manifest, ['rules', index, 'fallback_models'], virtual, context);
      }
    }
  },
  part: (written): { fallbackRules: FallbackRule[] } => ({
    fallbackRules: written.flatMap(({ value }) => value.rules),
  }),
});
