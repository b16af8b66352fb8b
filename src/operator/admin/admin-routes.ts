import type { Identity } from '../../identity/identity.ts';
import type { AdminRoute } from './admin-route.ts';
import { alertRoutes } from './alerts.ts';
import { auditRoutes } from './audit.ts';
import { type BudgetRouteDependencies, budgetRoutes } from './budgets.ts';
import { identityRoutes } from './identities.ts';
import { keyRoutes } from './keys.ts';
import { type RateLimitRouteDependencies, rateLimitRoutes } from './rate-limits.ts';
import { receiptRoutes } from './receipts.ts';
import { type RequestRouteDependencies, requestRoutes } from './requests.ts';
import { storedRoutes } from './stored.ts';
import { usageRoutes } from './usage.ts';

export interface AdminDependencies
  extends BudgetRouteDependencies,
    RequestRouteDependencies,
    RateLimitRouteDependencies {
  readonly identity: Identity;
}

/** All of the admin API: router and OpenAPI document are made from it. */
export function adminRoutes(dependencies: AdminDependencies): AdminRoute[] {
  return [
    ...keyRoutes(dependencies),
    ...identityRoutes(dependencies.identity),
    ...budgetRoutes(dependencies),
    ...rateLimitRoutes(dependencies),
    ...alertRoutes(dependencies),
    ...usageRoutes(dependencies),
    ...receiptRoutes(dependencies),
    ...requestRoutes(dependencies),
    ...storedRoutes(dependencies),
    ...auditRoutes(dependencies),
  ];
}
