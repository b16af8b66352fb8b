import { z } from 'zod';
import { accountName, collaborators, integrationName, modelTypes, ownedBy } from '../account-schema.ts';
import { checkRouting, routingKeys, routingOf } from '../rules/routing.ts';
import type { VirtualModelGroup } from '../rules/routing-settings.ts';
import { optionalKey, restrictingKey } from '../scalar-schema.ts';
import { type KindContext, manifestKind } from './manifest-kind.ts';

/** `provider-account/virtual-model`: one name before several models. */

const slugError = '1 to 256 characters of A–Z a–z 0–9 . _ : / @ + -';

const integration = z.object({
  type: z.literal('integration/model/virtual'),
  name: integrationName,
  model_types: modelTypes,
  slug: optionalKey(z.string({ error: slugError }).regex(/^[A-Za-z0-9._:/@+-]{1,256}$/, { error: slugError })).describe(
    'A further name of the model, unique over all.',
  ),
  routing_config: z.object(routingKeys).transform(routingOf).describe('Where its requests go.'),
});

const schema = z
  .object({
    type: z.literal('provider-account/virtual-model'),
    name: accountName,
    collaborators,
    ownedBy,
    integrations: restrictingKey(
      z
        .array(integration)
        .nullish()
        .transform((list) => list ?? []),
      ['models', 'model_list'],
    ).describe('Its virtual models.'),
  })
  .transform(
    ({ name: group, collaborators: who, integrations }): VirtualModelGroup => ({
      name: group,
      collaborators: who,
      integrations: integrations.map(({ name, slug, model_types: modelTypes, routing_config: routing }) => ({
        name: `${group}/${name}`,
        slug,
        modelTypes,
        routing,
      })),
    }),
  );

export const virtualModel = manifestKind<VirtualModelGroup, { virtualModels: VirtualModelGroup[] }>({
  type: 'provider-account/virtual-model',
  schema,
  uniqueKeys: [
    { path: 'name', what: 'this account name', over: 'model accounts' },
    { path: 'integrations[].name', what: 'this integration name' },
    { path: 'integrations[].slug', what: 'this slug', over: 'slugs' },
  ],
  listsModels: true,
  check(written, context) {
    const virtual = virtualNames(context);
    for (const { manifest, value } of written) {
      for (const [index, { routing }] of value.integrations.entries()) {
        checkRouting(routing, manifest, ['integrations', index, 'routing_config'], virtual, context);
      }
    }
  },
  part: (written): { virtualModels: VirtualModelGroup[] } => ({ virtualModels: written.map(({ value }) => value) }),
});

/** The names of all virtual models, slugs too. */
export function virtualNames(context: Pick<KindContext, 'written'>): ReadonlySet<string> {
  const models = context.written(virtualModel).flatMap(({ value }) => value.integrations);
  return new Set(models.flatMap(({ name, slug }) => (slug === undefined ? [name] : [name, slug])));
}
