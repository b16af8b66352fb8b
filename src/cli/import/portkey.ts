import type { Access, Accounts } from './accounts.ts';
import { defined, type Imported, isMap, listOf, mapOf, numberOf, type Source, textOf } from './imported.ts';
import { modelTypeOf, providerOfModel } from './provider-names.ts';
import type { Secrets } from './secrets.ts';

const VIRTUAL = 'portkey';
const MAX_TTL_SECONDS = 259_200;
const MAX_RETRIES = 10;

/** Keys of Portkey's that become something here, or need not. */
const CARRIED = new Set(
  'strategy targets provider api_key virtual_key weight override_params custom_host retry cache request_timeout name index resource_name deployment_id api_version aws_region aws_access_key_id aws_secret_access_key aws_session_token aws_role_arn vertex_project_id vertex_region vertex_service_account_json strict_open_ai_compliance'.split(
    ' ',
  ),
);

/**
 * A config of Portkey, which a client names in a header. Its targets become a virtual model, which a client names as its
 * model; one that names no model becomes an account that passes any on.
 */
export class PortkeyImport {
  readonly #imported: Imported;
  readonly #accounts: Accounts;
  readonly #source: Source;

  constructor(source: Source, imported: Imported, accounts: Accounts, _secrets: Secrets) {
    this.#source = snakeCased(source);
    this.#imported = imported;
    this.#accounts = accounts;
  }

  run(): void {
    const source = this.#source;
    const strategy = mapOf(source['strategy']);
    const written = listOf(source['targets']).map(mapOf);
    const mode = textOf(strategy['mode']) ?? (written.length > 1 ? 'fallback' : 'single');
    if (mode === 'conditional') {
      const words = 'conditions are not carried over: targets of a virtual model have a `condition` (docs/routing.md)';
      this.#imported.lost('strategy.conditions', words);
    }
    const targets = written.length > 0 ? written : [source];
    const made = targets.flatMap((target, index) => {
      const path = written.length > 0 ? `targets[${index}]` : 'config';
      this.#noteKeys(target, path);
      const found = this.#target(target, path, targets.length === 1);
      return found === undefined ? [] : [{ target: found, of: target }];
    });
    if (written.length > 0) this.#noteKeys(source, 'config');
    this.#imported.manifests.push(...this.#around(), ...this.#accounts.manifests());
    if (made.length > 0) this.#imported.manifests.push(this.#virtual(made, mode, strategy));
  }

  /** `account/model`; undefined: an account without a model was made, or a note says why not. */
  #target(target: Source, path: string, isAlone: boolean): string | undefined {
    if (target['targets'] !== undefined) {
      this.#imported.lost(path, 'targets within targets are not carried over: a virtual model has models of accounts');
      return undefined;
    }
    const parameters = mapOf(target['override_params']);
    const model = textOf(parameters['model'])?.replace(/^@[^/]+\//, '');
    const named = textOf(target['provider'])?.replace(/^@/, '');
    const provider = named ?? (model === undefined ? undefined : providerOfModel(model));
    if (provider === undefined) {
      this.#imported.lost(path, 'names no provider: write one, as `"provider": "openai"`');
      return undefined;
    }
    const access = accessOf(target, provider, path);
    if (model === undefined && textOf(target['deployment_id']) === undefined) {
      const words =
        'names no model (`override_params.model`), so it cannot stand in a virtual model: write it, and import again';
      if (!isAlone) this.#imported.lost(path, words);
      else this.#noteAsked(this.#accounts.open(access));
      return undefined;
    }
    const modelId = textOf(target['deployment_id']) ?? model ?? '';
    return this.#accounts.list(access, { name: model ?? modelId, modelId, types: [modelTypeOf(model ?? modelId)] });
  }

  #noteAsked(account: string | undefined): void {
    if (account !== undefined) this.#imported.note('config', `clients ask for \`${account}/MODEL\``);
  }

  #virtual(made: readonly { target: string; of: Source }[], mode: string, strategy: Source): object {
    this.#imported.note(
      'config',
      `clients ask for the model \`${VIRTUAL}/default\`; the header x-portkey-config has no effect`,
    );
    const isWeighted = mode === 'loadbalance';
    const statuses = listOf(strategy['on_status_codes']).map(String);
    return {
      type: 'provider-account/virtual-model',
      name: VIRTUAL,
      integrations: [
        {
          name: 'default',
          type: 'integration/model/virtual',
          model_types: [modelTypeOf(made[0]?.target ?? '')],
          routing_config: {
            type: isWeighted ? 'weight-based-routing' : 'priority-based-routing',
            load_balance_targets: made.map(({ target, of }, index) =>
              defined({
                target,
                weight: isWeighted ? (numberOf(of['weight']) ?? 1) : undefined,
                priority: isWeighted ? undefined : index,
                retry_config: retryOf(mapOf(of['retry'] ?? this.#source['retry'])),
                fallback_status_codes: statuses.length > 0 ? statuses : undefined,
                override_params: withoutModel(mapOf(of['override_params'])),
              }),
            ),
          },
        },
      ],
    };
  }

  /** Manifests on what holds for all targets. */
  #around(): object[] {
    const timeoutMs = numberOf(this.#source['request_timeout']);
    const cache = mapOf(this.#source['cache']);
    const manifests: object[] = [];
    if (timeoutMs !== undefined) manifests.push({ type: 'sluice/server', timeouts: { total_ms: timeoutMs } });
    if (cache['mode'] !== undefined) {
      if (cache['mode'] === 'semantic') {
        this.#imported.note(
          'cache.mode',
          'became `exact-match`: `semantic` needs a model for vectors (docs/caching.md)',
        );
      }
      const ttl = Math.min(MAX_TTL_SECONDS, Math.max(1, numberOf(cache['max_age']) ?? 600));
      manifests.push({ type: 'sluice/cache', rules: [{ id: VIRTUAL, type: 'exact-match', ttl }] });
    }
    return manifests;
  }

  #noteKeys(section: Source, path: string): void {
    for (const key of Object.keys(section)) {
      if (key.includes('guardrail') || key.endsWith('_hooks')) {
        this.#imported.lost(`${path}.${key}`, 'guardrails are not carried over: docs/guardrails.md has guards');
      } else if (!CARRIED.has(key)) this.#imported.note(`${path}.${key}`, 'is not carried over');
    }
    if (section['virtual_key'] !== undefined) {
      this.#imported.note(
        `${path}.virtual_key`,
        'stands for a key that Portkey keeps: set the variable of its account to it',
      );
    }
  }
}

function accessOf(target: Source, provider: string, path: string): Access {
  const resource = textOf(target['resource_name']);
  return {
    provider,
    path,
    apiKey: target['api_key'],
    baseUrl: target['custom_host'] ?? (resource === undefined ? undefined : `https://${resource}.openai.azure.com`),
    apiVersion: target['api_version'],
    region: target['aws_region'] ?? target['vertex_region'],
    accessKeyId: target['aws_access_key_id'],
    secretAccessKey: target['aws_secret_access_key'],
    sessionToken: target['aws_session_token'],
    roleArn: target['aws_role_arn'],
    project: target['vertex_project_id'],
    keyFile: isMap(target['vertex_service_account_json'])
      ? JSON.stringify(target['vertex_service_account_json'])
      : target['vertex_service_account_json'],
  };
}

function retryOf(retry: Source): object | undefined {
  const attempts = numberOf(retry['attempts']);
  if (attempts === undefined) return undefined;
  const statuses = listOf(retry['on_status_codes']).map(String);
  return { attempts: Math.min(MAX_RETRIES, attempts), ...(statuses.length > 0 && { on_status_codes: statuses }) };
}

function withoutModel({ model: _, ...others }: Source): Source | undefined {
  return Object.keys(others).length > 0 ? others : undefined;
}

/** Portkey takes both ways of writing; values of parameters stay as they are. */
function snakeCased(source: Source): Source {
  return Object.fromEntries(
    Object.entries(source).map(([key, value]) => {
      const name = key.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
      if (name === 'override_params') return [name, value];
      return [name, isMap(value) ? snakeCased(value) : Array.isArray(value) ? value.map(inList) : value];
    }),
  );
}

function inList(value: unknown): unknown {
  return isMap(value) ? snakeCased(value) : value;
}
