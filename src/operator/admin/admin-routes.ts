import type { AdminRoute } from './admin-route.ts';
import { type BudgetRouteDependencies, budgetRoutes } from './budgets.ts';
import { identityRoutes } from './identities.ts';
import { type KeyRouteDependencies, keyRoutes } from './keys.ts';
import { receiptRoutes } from './receipts.ts';
import { usageRoutes } from './usage.ts';

export interface AdminDependencies extends Omit<KeyRouteDependencies, 'identity'>, BudgetRouteDependencies {
  readonly identity: KeyRouteDependencies['identity'] & Parameters<typeof identityRoutes>[0];
}

/** All of the admin API: router and OpenAPI document are made from it. */
export function adminRoutes(dependencies: AdminDependencies): AdminRoute[] {
  return [
    ...keyRoutes(dependencies),
    ...identityRoutes(dependencies.identity),
    ...budgetRoutes(dependencies),
    ...usageRoutes(dependencies),
    ...receiptRoutes(dependencies),
  ];
}
