import type { Accounts, Model } from './accounts.ts';
import { defined, entryOf, type Imported, listOf, mapOf, numberOf, type Source, textOf } from './imported.ts';
import { litellmAccess, litellmModel } from './litellm-models.ts';
import { noteLitellmSettings } from './litellm-settings.ts';
import { modelTypeOf } from './provider-names.ts';
import type { Secrets } from './secrets.ts';

/** What one entry of `model_list` became. */
interface Deployment {
  /** `account/model`. */
  readonly target: string;
  readonly types: readonly string[];
  readonly weight: number | undefined;
  readonly order: number | undefined;
  /** Parameters that its requests get. */
  readonly overrides: Source;
  readonly headers: Source;
}

/** The name in front of the virtual models that keep the names of clients. */
const VIRTUAL = 'litellm';
/** What `litellm_params` may add to each request. */
const PARAMETERS = ['temperature', 'max_tokens', 'max_completion_tokens', 'top_p', 'seed', 'reasoning_effort', 'stop'];
const MAX_RETRIES = 10;

/** A `config.yaml` of LiteLLM's proxy. Each `model_name` stays the name that clients ask for. */
export class LitellmImport {
  readonly #imported: Imported;
  readonly #accounts: Accounts;
  readonly #secrets: Secrets;
  readonly #source: Source;
  readonly #groups = new Map<string, Deployment[]>();
  readonly #virtual: object[] = [];

  constructor(source: Source, imported: Imported, accounts: Accounts, secrets: Secrets) {
    this.#source = source;
    this.#imported = imported;
    this.#accounts = accounts;
    this.#secrets = secrets;
  }

  run(): void {
    const { model_list: models, litellm_settings: settings, router_settings: router } = this.#source;
    const [all, routing] = [mapOf(settings), mapOf(router)];
    const { wildcards, named } = this.#split(listOf(models));
    for (const [index, entry] of wildcards) this.#openAccount(mapOf(entry), `model_list[${index}]`);
    const fallbacks = this.#fallbacks(all, routing);
    for (const [name, entries] of named) this.#addGroup(name, entries, fallbacks.has(name));
    const retries = numberOf(routing['num_retries'] ?? all['num_retries']);
    for (const name of this.#groups.keys()) this.#addVirtual(name, name, fallbacks.get(name) ?? [], retries);
    this.#addAliases(mapOf(routing['model_group_alias']), fallbacks, retries);
    this.#imported.manifests.push(...this.#serverManifests(all, routing, retries));
    this.#imported.manifests.push(...this.#accounts.manifests());
    if (this.#virtual.length > 0) {
      this.#imported.manifests.push({
        type: 'provider-account/virtual-model',
        name: VIRTUAL,
        integrations: this.#virtual,
      });
    }
    noteLitellmSettings(this.#source, this.#imported);
  }

  /** Entries whose names have a `*`, and the others by their names. */
  #split(models: readonly unknown[]) {
    const wildcards: [number, unknown][] = [];
    const named = new Map<string, [number, Source][]>();
    for (const [index, entry] of models.entries()) {
      const name = textOf(mapOf(entry)['model_name']);
      if (name === undefined) this.#imported.lost(`model_list[${index}].model_name`, 'is missing');
      else if (name.includes('*')) wildcards.push([index, entry]);
      else named.set(name, [...(named.get(name) ?? []), [index, mapOf(entry)]]);
    }
    return { wildcards, named };
  }

  /** `openai/*` becomes an account of that name, which passes any model id on. */
  #openAccount(entry: Source, path: string): void {
    const name = String(entry['model_name']);
    const params = mapOf(entry['litellm_params']);
    const found = litellmModel(params, `${path}.litellm_params`, this.#imported);
    if (found === undefined) return;
    const prefix = name.endsWith('/*') ? name.slice(0, -2) : undefined;
    if (found.model !== '*' || (name !== '*' && !/^[A-Za-z0-9._-]{1,64}$/.test(prefix ?? ''))) {
      this.#imported.lost(`${path}.model_name`, `\`${name}\` cannot be told in names here: list its models one by one`);
      return;
    }
    const access = litellmAccess(found.provider, params, this.#source, `${path}.litellm_params`);
    const account = this.#accounts.open({ ...access, name: prefix });
    if (account !== undefined && account !== prefix) {
      const known = 'a name without it works where the price list knows the model';
      this.#imported.note(`${path}.model_name`, `\`${name}\` is asked for as \`${account}/MODEL\`; ${known}`);
    }
  }

  #addGroup(name: string, entries: readonly [number, Source][], hasFallback: boolean): void {
    const isAlone = entries.length === 1 && !hasFallback;
    const deployments: Deployment[] = [];
    for (const [index, entry] of entries) {
      const path = `model_list[${index}].litellm_params`;
      const params = mapOf(entry['litellm_params']);
      const info = mapOf(entry['model_info']);
      const found = litellmModel(params, path, this.#imported);
      if (found === undefined) continue;
      const overrides = Object.fromEntries(
        PARAMETERS.flatMap((key) => (params[key] === undefined ? [] : [[key, params[key]]])),
      );
      const types = [typeOfMode(textOf(info['mode']), found.model)];
      const isPlain = isAlone && Object.keys(overrides).length === 0 && params['extra_headers'] === undefined;
      const model: Model = {
        name: isPlain && !name.includes('/') ? name : found.model,
        modelId: found.model,
        types,
        cost: costOf({ ...info, ...params }, types[0] ?? 'chat'),
        baseModel: textOf(info['base_model'])?.replace(/^azure\//, ''),
      };
      const target = this.#accounts.list(litellmAccess(found.provider, params, this.#source, path), model);
      if (target === undefined) continue;
      if (Object.keys(overrides).length > 0) {
        this.#imported.note(
          path,
          `${Object.keys(overrides).join(', ')}: stand over those of a request, not under them`,
        );
      }
      const weight = numberOf(params['weight'] ?? params['rpm'] ?? params['tpm'] ?? entry['rpm'] ?? entry['tpm']);
      const order = numberOf(params['order']);
      deployments.push({ target, types, weight, order, overrides, headers: mapOf(params['extra_headers']) });
    }
    const weighted = deployments.filter(({ weight }) => weight !== undefined).length;
    if (weighted > 0 && weighted < deployments.length) {
      this.#imported.note(`model \`${name}\``, 'has deployments with and without a share: all get the same');
      for (const [index, each] of deployments.entries()) deployments[index] = { ...each, weight: undefined };
    }
    if (deployments.length > 0) this.#groups.set(name, deployments);
  }

  /** None where the name of the model alone leads to it. */
  #addVirtual(name: string, group: string, fallbacks: readonly string[], retries: number | undefined): void {
    const own = this.#groups.get(group) ?? [];
    const [only] = own;
    const direct = only?.target.slice(only.target.indexOf('/') + 1);
    if (own.length === 1 && fallbacks.length === 0 && (only?.target === name || this.#isAsked(name, direct))) return;
    const later = fallbacks.flatMap((each, at) =>
      (this.#groups.get(each) ?? []).map((one) => ({ one, priority: at + 1 })),
    );
    const strategy = textOf(mapOf(this.#source['router_settings'])['routing_strategy']) ?? 'simple-shuffle';
    const hasOrder = later.length > 0 || own.some(({ order }) => order !== undefined);
    const type = hasOrder ? 'priority' : strategy.startsWith('latency') ? 'latency' : 'weight';
    const first = Math.min(...own.map(({ order }) => order ?? 1));
    const last = Math.max(...own.map(({ order }) => (order ?? 1) - first));
    const targets = [
      ...own.map((one) => ({ one, priority: (one.order ?? 1) - first })),
      ...later.map(({ one, priority }) => ({ one, priority: priority + last })),
    ];
    this.#virtual.push({
      name,
      slug: name,
      type: 'integration/model/virtual',
      model_types: own[0]?.types ?? ['chat'],
      routing_config: {
        type: `${type}-based-routing`,
        load_balance_targets: targets.map(({ one, priority }) =>
          defined({
            target: one.target,
            weight: type === 'weight' ? (one.weight ?? 1) : undefined,
            priority: type === 'priority' ? priority : undefined,
            retry_config: retries === undefined ? undefined : { attempts: Math.min(MAX_RETRIES, retries) },
            override_params: Object.keys(one.overrides).length > 0 ? one.overrides : undefined,
            headers_override: Object.keys(one.headers).length > 0 ? { set: one.headers } : undefined,
          }),
        ),
      },
    });
  }

  /** One account alone lists a model of this name, so that the name leads to it. */
  #isAsked(name: string, listed: string | undefined): boolean {
    if (listed !== name) return false;
    const all = [...this.#groups.values()].flat().filter(({ target }) => target.endsWith(`/${name}`));
    return new Set(all.map(({ target }) => target)).size === 1;
  }

  /** Names of models in both sections, each with those that are asked after it. */
  #fallbacks(settings: Source, router: Source): Map<string, string[]> {
    const found = new Map<string, string[]>();
    const names = new Set(listOf(this.#source['model_list']).map((entry) => textOf(mapOf(entry)['model_name'])));
    const add = (name: string, others: unknown) => {
      const known = listOf(others).flatMap((other) => textOf(other) ?? []);
      for (const other of known.filter((each) => !names.has(each))) {
        this.#imported.note(
          'fallbacks',
          `\`${other}\` is no \`model_name\` of the list, so \`${name}\` does not fall back to it`,
        );
      }
      found.set(name, [...(found.get(name) ?? []), ...known.filter((each) => names.has(each) && each !== name)]);
    };
    for (const section of [settings, router]) {
      for (const entry of listOf(section['fallbacks'])) {
        for (const [name, others] of Object.entries(mapOf(entry))) add(name, others);
      }
      const all = listOf(section['default_fallbacks']);
      if (all.length > 0) for (const name of names) if (name !== undefined && !name.includes('*')) add(name, all);
    }
    return new Map([...found].map(([name, others]) => [name, [...new Set(others)]]));
  }

  #addAliases(aliases: Source, fallbacks: ReadonlyMap<string, string[]>, retries: number | undefined): void {
    for (const [alias, to] of Object.entries(aliases)) {
      const group = textOf(to) ?? textOf(mapOf(to)['model']);
      if (group === undefined || !this.#groups.has(group)) {
        this.#imported.lost(`router_settings.model_group_alias.${alias}`, 'names no model that was carried over');
      } else this.#addVirtual(alias, group, fallbacks.get(group) ?? [], retries);
    }
  }

  #serverManifests(settings: Source, router: Source, retries: number | undefined): object[] {
    const general = mapOf(this.#source['general_settings']);
    const master = this.#secrets.reference(general['master_key'], 'general_settings.master_key', 'LITELLM_MASTER_KEY');
    const seconds = numberOf(router['timeout'] ?? settings['request_timeout']);
    const manifests: object[] = [];
    if (master !== undefined || seconds !== undefined) {
      manifests.push({
        type: 'sluice/server',
        ...(master !== undefined && { operator: { admin_key: master } }),
        ...(seconds !== undefined && { timeouts: { total_ms: Math.round(seconds * 1000) } }),
      });
    }
    if (master !== undefined) {
      manifests.push({
        type: 'sluice/api-keys',
        keys: [{ name: 'master', key: master, subject: 'virtualaccount:master' }],
      });
    }
    if (retries !== undefined) {
      manifests.push({ type: 'gateway-global-settings', retry_settings: { attempts: Math.min(MAX_RETRIES, retries) } });
    }
    manifests.push(...this.#budget(settings));
    return manifests;
  }

  /** The budget of the whole proxy. */
  #budget(settings: Source): object[] {
    const limit = numberOf(settings['max_budget']);
    if (limit === undefined) return [];
    const unit = entryOf(UNITS, textOf(settings['budget_duration']) ?? '30d');
    if (unit === undefined) {
      this.#imported.lost(
        'litellm_settings.max_budget',
        'has a `budget_duration` that is neither a day, a week nor a month',
      );
      return [];
    }
    return [{ type: 'gateway-budget-config', rules: [{ id: 'all', when: {}, limit_to: limit, unit }] }];
  }
}

const UNITS: Readonly<Record<string, string>> = {
  '24h': 'cost_per_day',
  '1d': 'cost_per_day',
  '7d': 'cost_per_week',
  '1w': 'cost_per_week',
  '30d': 'cost_per_month',
  '1mo': 'cost_per_month',
};

const MODES: Readonly<Record<string, string>> = {
  chat: 'chat',
  completion: 'completion',
  embedding: 'embedding',
  image_generation: 'image',
  image_edit: 'image',
  audio_transcription: 'audio_transcription',
  audio_speech: 'text_to_speech',
  moderation: 'moderation',
  rerank: 'rerank',
  responses: 'responses',
  realtime: 'realtime',
  ocr: 'ocr',
};

function typeOfMode(mode: string | undefined, model: string): string {
  return (mode === undefined ? undefined : entryOf(MODES, mode)) ?? modelTypeOf(model);
}

/** LiteLLM tells US dollars for one token, we for a thousand. */
function costOf(source: Source, type: string): object | undefined {
  const rate = (key: string): number | undefined => {
    const dollars = numberOf(source[key]);
    return dollars === undefined ? undefined : Number((dollars * 1000).toPrecision(12));
  };
  const input = rate('input_cost_per_token');
  if (input === undefined) return undefined;
  if (type === 'embedding') return { metric: 'per_1000_embedding_tokens', value: input };
  const cached = {
    cache_read: rate('cache_read_input_token_cost'),
    cache_write: rate('cache_creation_input_token_cost'),
  };
  return {
    metric: 'per_1000_tokens',
    value: defined({ input, output: rate('output_cost_per_token') ?? 0, ...cached }),
  };
}
