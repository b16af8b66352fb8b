import { z } from 'zod';
import { positionOf, warn } from '../documents/manifests.ts';
import { formatPosition, type Report } from '../fault.ts';
import type { IdentityProvider } from '../identities/identities.ts';
import { identityProvider, issuerKeys, type PlacedIssuer } from '../identities/issuers.ts';
import { customAccount } from './channel-accounts.ts';
import { type KindContext, manifestKind } from './manifest-kind.ts';

const schema = z
  .object({ type: z.literal('sluice/identity-provider'), ...issuerKeys })
  .transform(({ type: _type, ...written }) => identityProvider(written));

/** An issuer of JWTs that are accepted as keys. Its part of the configuration holds those of custom accounts as well. */
export const sluiceIdentityProvider = manifestKind({
  type: 'sluice/identity-provider',
  schema,
  check(_written, context) {
    const all = issuers(context);
    for (const key of ['name', 'issuer'] as const) checkUnique(all, key, context.report);
    for (const { provider, manifest, path } of all) {
      if (provider.audiences.length > 0) continue;
      warn(context.report, manifest, [...path, 'issuer'], {
        message: 'no `audiences` are given: a token that this issuer made for any other service is accepted as a key',
        remedy: 'Add `audiences: [<what the issuer writes into aud for this gateway>]`',
      });
    }
  },
  part: (_written, context): { identities: { identityProviders: IdentityProvider[] } } => ({
    identities: { identityProviders: issuers(context).map(({ provider }) => provider) },
  }),
});

/** All issuers, of both kinds of manifest. */
export function issuers(context: KindContext): PlacedIssuer[] {
  const ofAccounts = context.written(customAccount).flatMap(({ manifest, value }) =>
    value.integrations.flatMap((integration, index) =>
      'identityProvider' in integration
        ? [
            {
              provider: integration.identityProvider,
              account: value.name,
              manifest,
              path: ['integrations', index],
            },
          ]
        : [],
    ),
  );
  const own = context
    .written(sluiceIdentityProvider)
    .map(({ manifest, value }): PlacedIssuer => ({ provider: value, manifest, path: [] }));
  return [...ofAccounts, ...own];
}

/** A token says only who issued it, so each issuer may stand once, over both kinds. */
function checkUnique(all: readonly PlacedIssuer[], key: 'name' | 'issuer', report: Report): void {
  const first = new Map<string, PlacedIssuer>();
  for (const each of all) {
    const before = first.get(each.provider[key]);
    if (before === undefined) {
      first.set(each.provider[key], each);
      continue;
    }
    const there = formatPosition(positionOf(before.manifest, [...before.path, key]));
    const what = key === 'name' ? 'this name of an identity provider' : 'this issuer';
    const at = positionOf(each.manifest, [...each.path, key]);
    report.faults.push({ code: 'duplicate', ...at, message: `${what} stands already in ${there}` });
  }
}
