import { nearNames } from '../../core/near-names.ts';
import type { PlacedProvider } from '../channels/read-channels.ts';
import type { IdentityProvider, ProviderIdentity } from '../configuration.ts';
import { didYouMean, formatPosition } from '../fault.ts';
import { type Manifest, parseKind, positionOf, type Report, warn } from '../manifests.ts';
import { parseResourceName } from '../resource-name.ts';
import { identityProviderSchema } from './identity-provider.ts';

export interface Providers {
  readonly all: IdentityProvider[];
  /** With the provider's name in its one form; one that does not exist gets a warning. */
  mapping(written: readonly ProviderIdentity[], manifest: Manifest): ProviderIdentity[];
}

/** Issuers of both kinds of manifest. A token says only who issued it, so each issuer may stand once. */
export function readProviders(
  manifests: readonly Manifest[],
  fromAccounts: readonly PlacedProvider[],
  report: Report,
): Providers {
  const own = parseKind('sluice/identity-provider', identityProviderSchema, manifests, report);
  const placed: PlacedProvider[] = [
    ...fromAccounts,
    ...own.map(({ manifest, value }) => ({ provider: value, manifest, path: [] })),
  ];
  for (const key of ['name', 'issuer'] as const) {
    const first = new Map<string, PlacedProvider>();
    for (const each of placed) {
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
  for (const { provider, manifest, path } of placed) {
    if (provider.audiences.length > 0) continue;
    warn(report, manifest, [...path, 'issuer'], {
      message: 'no `audiences` are given: a token that this issuer made for any other service is accepted as a key',
      remedy: 'Add `audiences: [<what the issuer writes into aud for this gateway>]`',
    });
  }
  return {
    all: placed.map(({ provider }) => provider),
    mapping: (written, manifest) =>
      written.map(({ provider, value }, index) => {
        const found = named(provider, placed);
        if (found) return { provider: found, value };
        const remedy = didYouMean(
          nearNames(
            provider,
            placed.map((each) => each.provider.name),
          ),
        );
        const message = 'there is no identity provider of this name, so nobody comes from it';
        const path = ['identity_provider_mapping', index, 'identity_provider'];
        warn(report, manifest, path, { message, found: `\`${provider}\``, ...(remedy && { remedy }) });
        return { provider, value };
      }),
  };
}

function named(written: string, placed: readonly PlacedProvider[]): string | undefined {
  const whole = placed.find(({ provider }) => provider.name === written);
  if (whole) return whole.provider.name;
  const { account, integration } = parseResourceName(written) ?? {};
  if (integration === undefined) return undefined;
  const within = placed.find((each) => each.account === account && each.provider.name === integration);
  return within?.provider.name;
}
