/** Roles on a provider account that mean something here (facts/product §2.1); of any other a manifest is warned. */
export const MANAGER_ROLE = 'provider-account-manager';
export const ACCESS_ROLES: ReadonlySet<string> = new Set([MANAGER_ROLE, 'provider-account-access']);
