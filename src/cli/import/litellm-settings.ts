import { type Imported, listOf, mapOf, type Source } from './imported.ts';

/** Undefined: it is carried over, or nothing has to be. */
type Known = Readonly<Record<string, string | undefined>>;

const ELSEWHERE = 'is not carried over; docs';
const CALLBACKS =
  'docs/traces.md sends spans to Langfuse, Phoenix and collectors, docs/request-log.md keeps bodies; metrics are there';

const LITELLM: Known = {
  num_retries: undefined,
  request_timeout: undefined,
  fallbacks: undefined,
  default_fallbacks: undefined,
  max_budget: undefined,
  budget_duration: undefined,
  drop_params:
    'not needed: a parameter that a provider does not take is left out or refused by name (docs/providers.md)',
  set_verbose: undefined,
  json_logs: undefined,
  telemetry: undefined,
  callbacks: CALLBACKS,
  success_callback: CALLBACKS,
  failure_callback: CALLBACKS,
  cache: 'is not carried over: docs/caching.md has rules for it, in memory or Redis',
  cache_params: 'is not carried over: docs/caching.md has rules for it, in memory or Redis',
  context_window_fallbacks:
    'is not carried over: a virtual model with a `condition` on `body_bytes` comes near (docs/routing.md)',
  content_policy_fallbacks: 'is not carried over: what a provider refuses for its content is the answer',
};

const ROUTER: Known = {
  num_retries: undefined,
  timeout: undefined,
  fallbacks: undefined,
  default_fallbacks: undefined,
  model_group_alias: undefined,
  routing_strategy: undefined,
  allowed_fails: `${ELSEWHERE}/routing.md tells when a target is out (\`routing\`)`,
  cooldown_time: `${ELSEWHERE}/routing.md tells when a target is out (\`routing\`)`,
  redis_host: `${ELSEWHERE}/cluster.md shares counts over Redis (\`store.counters\`)`,
  redis_port: undefined,
  redis_password: undefined,
  redis_url: `${ELSEWHERE}/cluster.md shares counts over Redis (\`store.counters\`)`,
  enable_pre_call_checks: undefined,
};

const GENERAL: Known = {
  master_key: undefined,
  database_url:
    'what LiteLLM keeps there (keys, teams, spend) is not carried over: make keys with `sluice keys create`',
  store_model_in_db: 'models that stand in the database alone are not in this file, and not carried over',
  database_connection_pool_limit: undefined,
};

const SECTIONS: Known = {
  model_list: undefined,
  litellm_settings: undefined,
  router_settings: undefined,
  general_settings: undefined,
  credential_list: undefined,
  environment_variables: 'set these where the gateway is started, or in a file for `--dotenv`',
  guardrails: `${ELSEWHERE}/guardrails.md has guards`,
  mcp_servers: `${ELSEWHERE}/mcp.md has servers`,
  include: 'other files are not read: import each',
};

const OF_ENTRY = new Set(['model_name', 'litellm_params', 'model_info', 'rpm', 'tpm']);
const LIMITS = ['rpm', 'tpm', 'max_parallel_requests', 'max_budget', 'budget_duration'];

/** A note on each setting that the manifests do not say. */
export function noteLitellmSettings(source: Source, imported: Imported): void {
  imported.noteKeys(source['litellm_settings'], 'litellm_settings', LITELLM);
  imported.noteKeys(source['router_settings'], 'router_settings', ROUTER);
  imported.noteKeys(source['general_settings'], 'general_settings', GENERAL);
  for (const [key, words] of Object.entries(SECTIONS)) {
    if (words !== undefined && source[key] !== undefined) imported.note(key, words);
  }
  for (const key of Object.keys(source)) {
    if (!Object.hasOwn(SECTIONS, key)) imported.note(key, 'is not carried over: nothing here is known to do the same');
  }
  const strategy = mapOf(source['router_settings'])['routing_strategy'];
  if (strategy !== undefined && strategy !== 'simple-shuffle' && strategy !== 'latency-based-routing') {
    imported.note(
      'router_settings.routing_strategy',
      `\`${String(strategy)}\` became shares by weight (docs/routing.md)`,
    );
  }
  for (const [index, entry] of listOf(source['model_list']).entries()) {
    const { litellm_params: params, ...rest } = mapOf(entry);
    const found = LIMITS.filter((key) => mapOf(params)[key] !== undefined || rest[key] !== undefined);
    if (found.length > 0) {
      const words = 'shares among deployments of one name; limits are rules of their own (docs/limits-and-budgets.md)';
      imported.note(`model_list[${index}]`, `${found.join(', ')}: ${words}`);
    }
    for (const key of Object.keys(rest)) {
      if (!OF_ENTRY.has(key)) imported.note(`model_list[${index}].${key}`, 'is not carried over');
    }
  }
}
