import type { Identities } from '../../config/identities/identities.ts';
import type { Identity } from '../../identity/identity.ts';
import type { IssuerState } from '../../identity/issuer-keys.ts';
import type { AdminRoute } from './admin-route.ts';

/** What the configuration says of who may come. Of where messages about them go, nothing: that holds secrets. */
export function identityRoutes(identity: Pick<Identity, 'identities' | 'issuerStates'>): AdminRoute[] {
  return [
    {
      method: 'GET',
      path: '/admin/identities',
      session: { role: 'viewer', data: 'all' },
      summary: 'Users, teams, virtual accounts and identity providers of the configuration in force',
      handle: () => ({ status: 200, json: identitiesJson(identity.identities, identity.issuerStates()) }),
    },
  ];
}

function identitiesJson(identities: Identities, states: readonly IssuerState[]): object {
  const { users, teams, virtualAccounts, identityProviders } = identities;
  return {
    users: users.map(({ email, tags, identities: mapped }) => ({ email, tags, identity_provider_mapping: mapped })),
    teams: teams.map(({ name, members, tags, identities: mapped }) => ({
      name,
      members,
      tags,
      identity_provider_mapping: mapped,
    })),
    virtual_accounts: virtualAccounts.map((account) => ({
      name: account.name,
      team: account.team ?? null,
      tags: account.tags,
      expires_at: account.expiresAtMs === undefined ? null : new Date(account.expiresAtMs),
      expired: account.expiresAtMs !== undefined && account.expiresAtMs <= Date.now(),
      token_type: account.tokenType ?? 'jwt',
      auto_rotate: account.autoRotate
        ? { interval_seconds: account.autoRotate.intervalMs / 1000, grace_seconds: account.autoRotate.graceMs / 1000 }
        : null,
      identity_provider_mapping: account.identities,
    })),
    identity_providers: identityProviders.map((provider) => {
      const state = states.find((each) => each.provider === provider.name);
      return {
        name: provider.name,
        issuer: provider.issuer,
        jwks_uri: provider.jwksUri,
        audiences: provider.audiences,
        algorithms: provider.algorithms,
        keys: state?.keys ?? 0,
        keys_fetched_at: state?.fetchedAtMs === undefined ? null : new Date(state.fetchedAtMs),
        failures: state?.failures ?? 0,
      };
    }),
  };
}
