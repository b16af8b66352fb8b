/** Roles on a provider account that have an effect (docs/identity.md, access rules). Any other gives a warning. */
export const MANAGER_ROLE = 'provider-account-manager';
export const ACCESS_ROLES: ReadonlySet<string> = new Set([MANAGER_ROLE, 'provider-account-access']);
