import type { Configuration } from '../config/configuration.ts';
import type { AccountToken } from '../core/account-token.ts';
import type { ListedForOperators } from '../operator/admin/about.ts';
import { openAccounts } from '../plugs.ts';
import type { ProviderAccount, Target } from '../providers/provider.ts';

/** The bound of one account. */
const MAX_CATALOGUE_MODELS = 300;

/** What the configuration lists, with the prices that exchanges are priced by. The price library is loaded by the first that asks. */
export async function listedForOperators(
  configuration: Configuration,
  tokens: readonly AccountToken[],
  baseUrl: string,
): Promise<ListedForOperators> {
  const [{ compilePrice }, { catalogueModels }] = await Promise.all([
    import('../usage/price-table.ts'),
    import('../usage/price-catalogue.ts'),
  ]);
  const accounts = openAccounts(configuration, new Map(tokens.map((token) => [token.id, token])));
  const now = Date.now();
  return {
    accounts: accounts.map(({ name, type, provider, others, listed }) => ({
      name,
      type,
      provider,
      credentials: 1 + (others?.length ?? 0),
      takes_any_model: listed.length === 0,
    })),
    models: accounts.flatMap((account) =>
      targetsOf(account, catalogueModels).map((target) => {
        const price = compilePrice(target.price);
        const rates = price.basis({ inputTokens: 1, outputTokens: 1 }, now);
        return {
          id: target.id,
          account: target.account,
          provider: target.provider,
          provider_model: target.modelId,
          model_types: target.modelTypes ?? [],
          price: rates === undefined || !rates.startsWith('{') ? null : JSON.parse(rates),
          price_version: price.version,
        };
      }),
    ),
    virtual_models: configuration.virtualModels.flatMap(({ integrations }) =>
      integrations.map(({ name, slug, routing }) => ({
        id: name,
        slug: slug ?? null,
        strategy: routing.strategy,
        targets: routing.targets.map(({ target, weight, priority }) => ({
          target,
          weight: weight ?? null,
          priority: priority ?? null,
        })),
      })),
    ),
    base_url: baseUrl,
  };
}

/** Those that it lists; of an account that lists none those that its provider is known to have. */
function targetsOf(account: ProviderAccount, catalogue: (id: string) => readonly string[]): readonly Target[] {
  if (account.listed.length > 0 || account.catalogueId === undefined) return account.listed;
  return catalogue(account.catalogueId)
    .slice(0, MAX_CATALOGUE_MODELS)
    .flatMap((model) => account.target(model) ?? []);
}
