import type { Access, Accounts } from './accounts.ts';
import { entryOf, type Imported, listOf, mapOf, numberOf, type Source, textOf } from './imported.ts';
import { modelTypeOf } from './provider-names.ts';
import type { Secrets } from './secrets.ts';

const BUDGET_UNITS: Readonly<Record<string, string>> = {
  '1d': 'cost_per_day',
  '24h': 'cost_per_day',
  '1w': 'cost_per_week',
  '7d': 'cost_per_week',
  '1M': 'cost_per_month',
  '30d': 'cost_per_month',
};
const WINDOWS: Readonly<Record<string, string>> = {
  '1m': 'minute',
  '60s': 'minute',
  '1h': 'hour',
  '60m': 'hour',
  '1d': 'day',
  '24h': 'day',
  '1w': 'week',
  '7d': 'week',
  '1M': 'month',
  '30d': 'month',
};

/** A `config.json` of Bifrost. Its models are `provider/model`, and so are ours. */
export class BifrostImport {
  readonly #imported: Imported;
  readonly #accounts: Accounts;
  readonly #secrets: Secrets;
  readonly #source: Source;

  constructor(source: Source, imported: Imported, accounts: Accounts, secrets: Secrets) {
    this.#source = source;
    this.#imported = imported;
    this.#accounts = accounts;
    this.#secrets = secrets;
  }

  run(): void {
    for (const [name, provider] of Object.entries(mapOf(this.#source['providers'])))
      this.#provider(name, mapOf(provider));
    const governance = mapOf(this.#source['governance']);
    this.#imported.manifests.push(...this.#accounts.manifests(), ...this.#keys(governance));
    this.#imported.noteKeys(this.#source, 'config', {
      $schema: undefined,
      providers: undefined,
      governance: undefined,
      config_store: undefined,
      encryption_key: undefined,
      framework: undefined,
      client: 'is not carried over: bounds, CORS and the log are settings of `sluice/server` (docs/configuration.md)',
      logs_store: 'is not carried over: the ledger is there, and docs/request-log.md keeps bodies',
      vector_store: 'is not carried over: docs/caching.md has the semantic cache',
      plugins: 'is not carried over: docs/caching.md and docs/traces.md have most of it',
      mcp: 'is not carried over: docs/mcp.md has servers',
    });
    this.#imported.noteKeys(governance, 'governance', {
      virtual_keys: undefined,
      budgets: undefined,
      rate_limits: undefined,
      teams: 'teams of keys are carried over; budgets and limits of teams are not (docs/limits-and-budgets.md)',
      customers: 'is not carried over: a team above teams is not there',
      auth_config: 'is not carried over: docs/console.md tells who signs in',
      routing_rules: 'is not carried over: virtual models route (docs/routing.md)',
    });
  }

  #provider(name: string, provider: Source): void {
    const path = `providers.${name}`;
    const network = mapOf(provider['network_config']);
    const custom = textOf(mapOf(provider['custom_provider_config'])['base_provider_type']);
    const keys = listOf(provider['keys']).map(mapOf);
    const [first = {}, ...others] = keys;
    const base = { provider: custom ?? name, name, path, apiKey: first['value'], baseUrl: network['base_url'] };
    const deployed = keys
      .map((key) => ({ key, special: specialOf(key) }))
      .filter(({ special }) => special !== undefined);
    if (deployed.length > 0) {
      for (const { key, special } of deployed) this.#deployed(base, key, special ?? {});
      return;
    }
    // One account cannot hold keys of different models.
    const isNarrow = others.some(
      (key) => JSON.stringify(key['models'] ?? []) !== JSON.stringify(first['models'] ?? []),
    );
    if (isNarrow)
      this.#imported.note(`${path}.keys`, 'are for different models there; here each key is for all of them');
    const account = this.#accounts.open({ ...base, furtherKeys: others.map((key) => key['value']) });
    if (account !== undefined && account !== name) {
      this.#imported.note(path, `its models are asked for as \`${account}/MODEL\``);
    }
  }

  /** Azure, Bedrock and Vertex tell for each key where it is good, and what is deployed there. */
  #deployed(base: Access, key: Source, special: Source): void {
    const access: Access = {
      ...base,
      apiKey: key['value'],
      baseUrl: special['endpoint'] ?? base.baseUrl,
      apiVersion: special['api_version'],
      region: special['region'],
      accessKeyId: special['access_key'],
      secretAccessKey: special['secret_key'],
      sessionToken: special['session_token'],
      roleArn: special['role_arn'] ?? special['arn'],
      project: special['project_id'],
      keyFile: special['auth_credentials'],
    };
    const deployments = Object.entries(mapOf(special['deployments'] ?? key['aliases']));
    if (deployments.length === 0) this.#accounts.open(access);
    for (const [model, deployment] of deployments) {
      const modelId = textOf(deployment) ?? model;
      this.#accounts.list(access, { name: model, modelId, types: [modelTypeOf(model)] });
    }
  }

  #keys(governance: Source): object[] {
    const named = (section: string): Map<unknown, Source> =>
      new Map(listOf(governance[section]).map((each) => [mapOf(each)['id'], mapOf(each)]));
    const [teams, budgets, limits] = [named('teams'), named('budgets'), named('rate_limits')];
    const [keys, budgetRules, limitRules]: [object[], object[], object[]] = [[], [], []];
    for (const [index, entry] of listOf(governance['virtual_keys']).entries()) {
      const key = mapOf(entry);
      const path = `governance.virtual_keys[${index}]`;
      const label = textOf(key['name']) ?? textOf(key['id']) ?? `key-${index}`;
      const name = label.replaceAll(/[^A-Za-z0-9._-]/g, '-').slice(0, 60);
      if (key['is_active'] === false) continue;
      const secret = this.#secrets.reference(
        key['value'],
        `${path}.value`,
        `${name.toUpperCase().replaceAll(/\W/g, '_')}_KEY`,
      );
      if (secret === undefined) {
        this.#imported.lost(
          path,
          `has no \`value\`: make a key with \`sluice keys create --subject virtualaccount:${name}\``,
        );
        continue;
      }
      const team = textOf(teams.get(key['team_id'])?.['name']);
      const models = listOf(key['provider_configs']).flatMap((each) => modelsOf(mapOf(each)));
      const subject = `virtualaccount:${name}`;
      keys.push({ name, key: secret, subject, ...(team && { teams: [team] }), ...(models.length > 0 && { models }) });
      const budget = budgets.get(key['budget_id']) ?? mapOf(key['budget']);
      if (budget['max_limit'] !== undefined)
        this.#rule(
          budgetRules,
          path,
          name,
          budget,
          'max_limit',
          entryOf(BUDGET_UNITS, String(budget['reset_duration'])),
        );
      const limit = limits.get(key['rate_limit_id']) ?? mapOf(key['rate_limit']);
      for (const [what, unit] of [
        ['request', 'requests'],
        ['token', 'tokens'],
      ] as const) {
        if (limit[`${what}_max_limit`] === undefined) continue;
        const window = entryOf(WINDOWS, String(limit[`${what}_reset_duration`]));
        this.#rule(
          limitRules,
          path,
          `${name}-${unit}`,
          limit,
          `${what}_max_limit`,
          window && `${unit}_per_${window}`,
          name,
        );
      }
    }
    const rules = (type: string, list: object[]) => list.map((rule) => ({ type, rules: [rule] }));
    return [
      ...(keys.length > 0 ? [{ type: 'sluice/api-keys', keys }] : []),
      ...rules('gateway-rate-limiting-config', limitRules),
      ...(budgetRules.length > 0 ? [{ type: 'gateway-budget-config', rules: budgetRules }] : []),
    ];
  }

  #rule(
    rules: object[],
    path: string,
    id: string,
    source: Source,
    key: string,
    unit: string | undefined,
    account = id,
  ): void {
    const limit = numberOf(source[key]);
    if (limit === undefined || unit === undefined) {
      this.#imported.lost(
        path,
        `\`${key}\` has a reset that is none of ours: write the rule by hand (docs/limits-and-budgets.md)`,
      );
    } else rules.push({ id, when: { subjects: [`virtualaccount:${account}`] }, limit_to: limit, unit });
  }
}

function specialOf(key: Source): Source | undefined {
  const special = key['azure_key_config'] ?? key['bedrock_key_config'] ?? key['vertex_key_config'];
  return special === undefined ? undefined : mapOf(special);
}

function modelsOf(config: Source): string[] {
  const provider = textOf(config['provider']) ?? '*';
  const allowed = listOf(config['allowed_models']).flatMap((each) => textOf(each) ?? []);
  return allowed.length === 0 || allowed.includes('*')
    ? [`${provider}/*`]
    : allowed.map((model) => `${provider}/${model}`);
}
