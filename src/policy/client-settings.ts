import { type JsonObject, objectOf, parseObject } from '../codec/json-value.ts';
import { HOOKS, type Hook } from '../config/guardrails/guardrails.ts';
import {
  type CacheSettings,
  DEFAULT_NAMESPACE,
  DEFAULT_SIMILARITY,
  DEFAULT_TTL_SECONDS,
  MAX_TTL_SECONDS,
  NAMESPACE,
  NAMESPACE_ERROR,
} from '../config/rules/caching.ts';
import { GatewayError } from '../core/errors.ts';
import type { HeadersOfInterest, OrError } from '../core/exchange.ts';
import type { CacheMarker } from '../inference/cache-marker.ts';
import { DEFAULT_DELAY_MS, DEFAULT_RETRY_STATUSES } from '../routing/retry-policy.ts';
import { NO_WAITS, type StepRetry, type StepWaits } from '../routing/route-plan.ts';

/** What a client may set for its own request by `x-tfy-*` headers (docs/api.md). */
export interface ClientSettings {
  /** `x-tfy-request-timeout` and `x-tfy-ttft-timeout-ms`; NO_WAITS itself where the client set neither. */
  readonly waits: StepWaits;
  /** `x-tfy-retry-config`; undefined: as the model says. */
  readonly retry: StepRetry | undefined;
  readonly metadata: Readonly<Record<string, string>>;
  /** Account for a model id that names none. */
  readonly providerName: string | undefined;
  /** `x-tfy-strict-openai`: an answer that is translated has no fields beyond those of its form. */
  readonly strictForm: boolean;
  /** `x-tfy-cache-control`: what of a translated request is marked for the provider's prompt cache. */
  readonly cacheMarker: CacheMarker | undefined;
  /** `x-tfy-logging-config`: what the client wishes of the request log. */
  readonly logging: LoggingWish | undefined;
  /** `x-tfy-cache-config`; undefined: as rules say. */
  readonly cache: CacheSettings | undefined;
  /** `x-tfy-guardrails`: guards that are asked besides those of rules. */
  readonly guardrails: AskedGuardrails | undefined;
}

export interface LoggingWish {
  readonly enabled: boolean | undefined;
  readonly project: string | undefined;
}

/** What a request asks of guards for itself. */
export interface AskedGuardrails {
  readonly guards: Readonly<Record<Hook, readonly string[]>>;
  /** Whether those that only look run beside the call; undefined: as configured. */
  readonly parallel: boolean | undefined;
}

const NO_METADATA: Readonly<Record<string, string>> = {};
const NONE: ClientSettings = {
  waits: NO_WAITS,
  retry: undefined,
  metadata: NO_METADATA,
  providerName: undefined,
  strictForm: false,
  cacheMarker: undefined,
  guardrails: undefined,
  logging: undefined,
  cache: undefined,
};
const MAX_VALUE_CHARACTERS = 128;
const MAX_WAIT_MS = 86_400_000;

export function clientSettings(headers: HeadersOfInterest): OrError<ClientSettings> {
  const { tfy } = headers;
  if (tfy === undefined) return NONE;
  const attemptMs = wait(tfy, 'x-tfy-request-timeout');
  if (attemptMs instanceof GatewayError) return attemptMs;
  const firstTokenMs = wait(tfy, 'x-tfy-ttft-timeout-ms');
  if (firstTokenMs instanceof GatewayError) return firstTokenMs;
  const metadata = readMetadata(tfy['x-tfy-metadata']);
  if (metadata instanceof GatewayError) return metadata;
  const guardrails = readGuardrails(tfy['x-tfy-guardrails']);
  if (guardrails instanceof GatewayError) return guardrails;
  const strictForm = flag(tfy, 'x-tfy-strict-openai');
  if (strictForm instanceof GatewayError) return strictForm;
  const cacheMarker = readCacheMarker(tfy['x-tfy-cache-control']);
  if (cacheMarker instanceof GatewayError) return cacheMarker;
  const cache = readCache(tfy['x-tfy-cache-config']);
  if (cache instanceof GatewayError) return cache;
  const waits = attemptMs === undefined && firstTokenMs === undefined ? NO_WAITS : { attemptMs, firstTokenMs };
  const retry = readRetry(tfy['x-tfy-retry-config']);
  if (retry instanceof GatewayError) return retry;
  const logging = readLogging(tfy['x-tfy-logging-config']);
  if (logging instanceof GatewayError) return logging;
  const providerName = tfy['x-tfy-provider-name'];
  return { waits, retry, metadata, providerName, strictForm, cacheMarker, logging, guardrails, cache };
}

function wait(tfy: Record<string, string>, name: string): OrError<number | undefined> {
  const text = tfy[name];
  if (text === undefined) return undefined;
  const value = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  if (value < 1 || value > MAX_WAIT_MS) return invalid(name, `It must be whole milliseconds, 1 to ${MAX_WAIT_MS}.`);
  return value;
}

const MAX_RETRIES = 10;
const MAX_DELAY_MS = 60_000;

/** JSON: `{"attempts": 3, "delay": 100, "onStatusCodes": [429, 500]}`; `on_status_codes` means the same. */
function readRetry(text: string | undefined): OrError<StepRetry | undefined> {
  if (text === undefined) return undefined;
  let value: JsonObject | undefined;
  try {
    value = objectOf(JSON.parse(text));
  } catch {
    // No JSON: what is allowed is said below.
    value = undefined;
  }
  const { attempts, delay = DEFAULT_DELAY_MS, onStatusCodes, on_status_codes: codes = onStatusCodes } = value ?? {};
  const statuses = codes === undefined ? undefined : statusList(codes);
  if (!isCount(attempts, MAX_RETRIES) || !isCount(delay, MAX_DELAY_MS) || (codes !== undefined && !statuses)) {
    const allowed = `attempts 0 to ${MAX_RETRIES}, delay up to ${MAX_DELAY_MS} ms, statuses from 400 to 599`;
    const shape = '{"attempts": 3, "delay": 100, "onStatusCodes": [429, 500]}';
    return invalid('x-tfy-retry-config', `It must be JSON as \`${shape}\`: ${allowed}.`);
  }
  return { maxRetries: attempts, delayMs: delay, statuses: statuses ?? DEFAULT_RETRY_STATUSES };
}

function isCount(value: unknown, most: number): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= most;
}

function statusList(value: unknown): ReadonlySet<number> | undefined {
  if (!Array.isArray(value)) return undefined;
  const statuses = value.map(Number);
  return statuses.every((each) => each >= 400 && each <= 599) ? new Set(statuses) : undefined;
}

/** Clients say the same of all their requests. */
const cacheWishes = new Map<string, CacheSettings>();
const MAX_WISHES = 256;

function readCache(text: string | undefined): OrError<CacheSettings | undefined> {
  if (text === undefined) return undefined;
  const known = cacheWishes.get(text);
  if (known !== undefined) return known;
  const read = cacheIn(text);
  if (!(read instanceof GatewayError)) {
    if (cacheWishes.size >= MAX_WISHES) cacheWishes.clear();
    cacheWishes.set(text, read);
  }
  return read;
}

/** JSON: `{"type": "exact-match", "ttl": 600, "namespace": "faq", "similarity_threshold": 0.9}`; each may be absent. */
function cacheIn(text: string): OrError<CacheSettings> {
  const value = parseObject(text);
  const { type = 'exact-match', ttl = DEFAULT_TTL_SECONDS, namespace = DEFAULT_NAMESPACE } = value ?? {};
  const { similarity_threshold: similarity = DEFAULT_SIMILARITY, shadow = false } = value ?? {};
  const isType = type === 'exact-match' || type === 'semantic';
  const isSpace = typeof namespace === 'string' && NAMESPACE.test(namespace);
  const isSimilarity = typeof similarity === 'number' && similarity >= 0 && similarity <= 1;
  const isGood = isType && isSpace && isSimilarity && typeof shadow === 'boolean';
  if (value === undefined || !isGood || !isCount(ttl, MAX_TTL_SECONDS) || ttl < 1) {
    const shape = '{"type": "exact-match", "ttl": 600, "namespace": "default"}';
    const types = '`exact-match` or `semantic`, the latter with `similarity_threshold` from 0 to 1';
    const allowed = `type ${types}, shadow true or false, ttl in seconds up to ${MAX_TTL_SECONDS}, namespace of ${NAMESPACE_ERROR}`;
    return invalid('x-tfy-cache-config', `It must be JSON as \`${shape}\`: ${allowed}.`);
  }
  return { type, similarityThreshold: similarity, shadow, ttlMs: ttl * 1000, namespace };
}

/** JSON of `{"llm_input_guardrails": ["group/guard"], …, "enable_parallel_execution": true}`. */
function readGuardrails(text: string | undefined): OrError<AskedGuardrails | undefined> {
  if (text === undefined) return undefined;
  const shape = '{"llm_input_guardrails": ["group/guard"]}';
  const asked = guardrailsIn(text);
  // Ignoring it would let through what the client believes to be guarded.
  return (
    asked ?? invalid('x-tfy-guardrails', `It must be JSON as \`${shape}\`, of at most ${MAX_NAMES} guards a hook.`)
  );
}

/** Where nothing reads words: naming guards there has no effect, which its client must learn. */
export function guardsUnread({ guardrails }: ClientSettings, hooks: readonly Hook[] = HOOKS): GatewayError | undefined {
  const isNamed = guardrails !== undefined && hooks.some((hook) => guardrails.guards[hook].length > 0);
  return isNamed ? invalid('x-tfy-guardrails', 'No guard reads what this path carries.') : undefined;
}

export function unknownGuardrail(name: string): GatewayError {
  return new GatewayError('unknown_guardrail', {
    param: 'x-tfy-guardrails',
    detail: `\`${name.slice(0, 129)}\` is not known.`,
  });
}

function guardrailsIn(text: string): AskedGuardrails | undefined {
  let written: JsonObject | undefined;
  try {
    written = objectOf(JSON.parse(text));
  } catch {
    // No JSON: whoever asks says what is allowed.
    written = undefined;
  }
  if (written === undefined) return undefined;
  const guards: Record<Hook, readonly string[]> = { 'llm-input': [], 'llm-output': [], 'mcp-pre': [], 'mcp-post': [] };
  let parallel: boolean | undefined;
  for (const [key, value] of Object.entries(written)) {
    const hook = Object.hasOwn(HEADER_KEYS, key) ? HEADER_KEYS[key] : undefined;
    if (hook !== undefined && isNames(value)) guards[hook] = value;
    else if (key === 'enable_parallel_execution' && typeof value === 'boolean') parallel = value;
    else return undefined;
  }
  return { guards, parallel };
}

const HEADER_KEYS: Readonly<Record<string, Hook>> = {
  llm_input_guardrails: 'llm-input',
  llm_output_guardrails: 'llm-output',
  input_guardrails: 'llm-input',
  output_guardrails: 'llm-output',
  mcp_tool_pre_invoke_guardrails: 'mcp-pre',
  mcp_tool_post_invoke_guardrails: 'mcp-post',
};
const MAX_NAMES = 32;

function isNames(value: unknown): value is string[] {
  return Array.isArray(value) && value.length <= MAX_NAMES && value.every((each) => typeof each === 'string');
}

function flag(tfy: Record<string, string>, name: string): OrError<boolean> {
  const text = tfy[name]?.toLowerCase();
  if (text === undefined || text === 'false') return false;
  return text === 'true' ? true : invalid(name, 'It must be `true` or `false`.');
}

const MAX_PROJECT_CHARACTERS = 512;

/** JSON: `{"enabled": true, "tracing_project_fqn": "…"}`, or one of the two. */
function readLogging(text: string | undefined): OrError<LoggingWish | undefined> {
  if (text === undefined) return undefined;
  const { enabled, tracing_project_fqn: project, ...others } = parseObject(text) ?? { none: true };
  const fits = (enabled === undefined || typeof enabled === 'boolean') && Object.keys(others).length === 0;
  if (fits && project === undefined) return { enabled, project };
  if (fits && typeof project === 'string' && project.length <= MAX_PROJECT_CHARACTERS) return { enabled, project };
  return invalid('x-tfy-logging-config', 'It must be JSON as `{"enabled": true, "tracing_project_fqn": "…"}`.');
}

/** `true`, a lifetime, or the marker itself as JSON: `{"type": "ephemeral", "ttl": "1h"}`. */
function readCacheMarker(text: string | undefined): OrError<CacheMarker | undefined> {
  const wish = text?.trim().toLowerCase();
  if (wish === undefined || wish === 'false') return undefined;
  if (wish === 'true' || wish === 'ephemeral') return { type: 'ephemeral' };
  if (wish === '5m' || wish === '1h') return { type: 'ephemeral', ttl: wish };
  const marker = markerIn(wish);
  if (marker !== undefined) return marker;
  const allowed = '`true`, `false`, `5m`, `1h` or `{"type": "ephemeral", "ttl": "5m" or "1h"}`';
  return invalid('x-tfy-cache-control', `It must be ${allowed}.`);
}

function markerIn(text: string): CacheMarker | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // No JSON: the caller says what is allowed.
    return undefined;
  }
  const { type, ttl } = objectOf(value) ?? {};
  if (type !== 'ephemeral') return undefined;
  if (ttl === undefined) return { type };
  return ttl === '5m' || ttl === '1h' ? { type, ttl } : undefined;
}

function readMetadata(text: string | undefined): OrError<Readonly<Record<string, string>>> {
  if (text === undefined) return NO_METADATA;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return invalid('x-tfy-metadata', 'It must be a JSON object of strings.');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return invalid('x-tfy-metadata', 'It must be a JSON object of strings.');
  }
  for (const [key, each] of Object.entries(value)) {
    if (typeof each !== 'string') return invalid('x-tfy-metadata', `The value of \`${key}\` must be a string.`);
    if (each.length > MAX_VALUE_CHARACTERS) {
      return invalid('x-tfy-metadata', `The value of \`${key}\` may have up to ${MAX_VALUE_CHARACTERS} characters.`);
    }
  }
  return value as Record<string, string>;
}

function invalid(header: string, detail: string): GatewayError {
  return new GatewayError('invalid_header', { param: header, detail: `\`${header}\`: ${detail}` });
}
