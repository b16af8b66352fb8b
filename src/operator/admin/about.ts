import { ERRORS } from '../../core/errors.ts';
import type { AdminRoute } from './admin-route.ts';

/** What an operator may ask. `prices` are nano-dollars, as receipts have them; null: none is known, or all depends. */
export interface ListedForOperators {
  readonly accounts: readonly {
    readonly name: string;
    readonly type: string;
    readonly provider: string;
    /** How many keys it has; their values are never told. */
    readonly credentials: number;
    /** Whether any model id of it is passed on. */
    readonly takes_any_model: boolean;
  }[];
  readonly models: readonly {
    readonly id: string;
    readonly account: string;
    readonly provider: string;
    readonly provider_model: string;
    readonly model_types: readonly string[];
    readonly price: unknown;
    readonly price_version: string;
  }[];
  readonly virtual_models: readonly {
    readonly id: string;
    readonly slug: string | null;
    readonly strategy: string;
    readonly targets: readonly {
      readonly target: string;
      readonly weight: number | null;
      readonly priority: number | null;
    }[];
  }[];
  /** Address of the port of clients. */
  readonly base_url: string;
}

/** What the configuration in force says of models, for those that look, and what error codes mean. */
export function aboutRoutes(sources: { readonly models: () => Promise<ListedForOperators> }): AdminRoute[] {
  return [
    {
      method: 'GET',
      path: '/admin/models',
      session: { role: 'viewer', data: 'none' },
      summary:
        'Accounts, their listed models with prices, virtual models with their targets, and the base URL of clients',
      handle: async () => ({ status: 200, json: await sources.models() }),
    },
    {
      method: 'GET',
      path: '/admin/errors',
      session: { role: 'viewer', data: 'none' },
      summary: 'What each error code means, whose fault it is, and what to do about it',
      handle: () => ({ status: 200, json: { errors: errorsJson() } }),
    },
  ];
}

function errorsJson(): Record<string, object> {
  return Object.fromEntries(
    Object.entries(ERRORS).map(([code, { status, blame, message, remedy }]) => [
      code,
      { status, blame, message, remedy },
    ]),
  );
}
