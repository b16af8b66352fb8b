import { isArray, isObject, type JsonObject, stringOf } from '../../codec/json-value.ts';
import type { GuardConfig } from '../../config/guardrails/guardrails.ts';
import type { HttpClient } from '../../core/http-client.ts';
import { type Guard, type GuardQuestion, PASSED, type Verdict } from '../guard.ts';
import { authKey, failed, isOutput, type RemoteRequest, remoteGuard } from './remote-guard.ts';

/** `custom`: a service of the operator's own, in the reference product's contract or in LiteLLM's. */
export function customGuard(config: GuardConfig, http: HttpClient): Guard {
  const {
    url,
    headers,
    config: own = {},
    contract,
  } = config.config as {
    url: string;
    headers?: Readonly<Record<string, string>>;
    config?: JsonObject;
    contract?: 'truefoundry' | 'litellm';
  };
  const sent = [
    ...authorization(config),
    ...Object.entries(headers ?? {}).flatMap(([name, value]) => [name.toLowerCase(), value]),
  ];
  const request =
    contract === 'litellm'
      ? (question: GuardQuestion) => liteLlmRequest(question, url, sent, own)
      : (question: GuardQuestion) => productRequest(question, url, sent, own);
  return remoteGuard(config, http, { request });
}

/** Akto is asked as a custom guard of the reference product: https://docs.akto.io */
export function aktoGuard(config: GuardConfig, http: HttpClient): Guard {
  const base = String(config.config['base_url']);
  const url = new URL(base).pathname === '/' ? `${base}/api/http-proxy/truefoundry?sync=true` : base;
  const headers = ['authorization', `Bearer ${authKey(config, 'token')}`];
  return remoteGuard(config, http, { request: (question) => productRequest(question, url, headers, {}) });
}

function authorization({ auth }: GuardConfig): string[] {
  if (auth?.['type'] === 'bearer-auth') return ['authorization', `Bearer ${String(auth['bearer_token'])}`];
  if (auth?.['type'] !== 'basic-auth') return [];
  const pair = `${String(auth['username'])}:${String(auth['password'])}`;
  return ['authorization', `Basic ${Buffer.from(pair).toString('base64')}`];
}

function productRequest(
  question: GuardQuestion,
  url: string,
  headers: readonly string[],
  config: JsonObject,
): RemoteRequest {
  const { exchange, request: requestBody, response } = question;
  const { subject } = exchange.caller.principal;
  const [kind = 'user', ...name] = subject.split(':');
  const user = {
    subjectId: subject,
    subjectType: kind,
    subjectSlug: name.join(':'),
    subjectDisplayName: name.join(':'),
  };
  return {
    url,
    headers,
    body: {
      requestBody,
      ...(response !== undefined && { responseBody: response }),
      config,
      context: { user, metadata: exchange.metadata },
    },
    // In the older form a client's fault stands for a refusal.
    verdictStatuses: [400, 403, 422],
    read: (answer, status) => productVerdict(answer, status, question),
  };
}

/**
 * `{verdict, message, transformed, result}`; in the older form `null` passes, a body is what the request or answer becomes,
 * and 4xx refuses.
 */
function productVerdict(answer: JsonObject, status: number, question: GuardQuestion): Verdict {
  const message = stringOf(answer['message']) ?? stringOf(answer['detail']) ?? 'It refused.';
  if (status >= 400) return failed(message);
  const { verdict, transformed, result } = answer;
  if (verdict === false) return failed(message);
  if (verdict === true) return transformed === true && isObject(result) ? changedBody(result, question) : PASSED;
  if (Object.keys(answer).length === 0) return PASSED;
  const body = isObject(result) ? result : answer;
  if (isArray(body['messages']) || isArray(body['choices']) || isArray(body['input']))
    return changedBody(body, question);
  throw new Error('its answer has no `verdict`');
}

/** Parts of a body that may become others; the rest is whoever asked's, and no guard's. */
const REPLACEABLE = new Set([
  ...['messages', 'system', 'input', 'instructions', 'prompt', 'query', 'documents'],
  ...['choices', 'content', 'output'],
]);

/**
 * What a body that came back makes of the one that went out. Where it differs in texts alone they are changed in their
 * places, so that what the guard has no words for stays. Where something is gone or new its parts are taken as they came.
 */
function changedBody(body: JsonObject, question: GuardQuestion): Verdict {
  const original = isOutput(question) ? (question.response ?? {}) : question.request;
  const texts = question.texts.map(({ text }) => text);
  const known = new Set(texts);
  const parts = Object.entries(original).filter(([key, before]) => body[key] !== undefined && hasText(before, known));
  const others = parts.filter(([key, before]) => !isSameShape(before, body[key], known)).map(([key]) => key);
  if (others.length === 0) {
    const changes = new Map<string, string>();
    for (const [key, before] of parts) collectChanges(before, body[key], changes);
    return { result: 'mutated', texts: texts.map((text) => changes.get(text) ?? text) };
  }
  const odd = others.find((key) => !REPLACEABLE.has(key));
  if (odd !== undefined) return failed(`It changed more of \`${odd}\` than texts, which cannot be followed.`);
  const replaced = parts.flatMap(([key]) => (REPLACEABLE.has(key) ? [[key, body[key]]] : []));
  return { result: 'mutated', texts, replaced: Object.fromEntries(replaced) };
}

/** Whether no list is shorter or longer, and no text that guards read is gone. What holds no such text is not looked at. */
function isSameShape(before: unknown, after: unknown, texts: ReadonlySet<string>): boolean {
  if (isArray(before) && isArray(after))
    return before.length === after.length && before.every((each, at) => isSameShape(each, after[at], texts));
  if (isObject(before) && isObject(after))
    return Object.entries(before).every(([key, each]) => isSameShape(each, after[key], texts));
  return (typeof before === 'string' && typeof after === 'string') || !hasText(before, texts);
}

function collectChanges(before: unknown, after: unknown, changes: Map<string, string>): void {
  if (isArray(before) && isArray(after)) {
    for (const [at, each] of before.entries()) collectChanges(each, after[at], changes);
  } else if (isObject(before) && isObject(after)) {
    for (const [key, each] of Object.entries(before)) collectChanges(each, after[key], changes);
  } else if (typeof before === 'string' && typeof after === 'string' && before !== after && !changes.has(before)) {
    changes.set(before, after);
  }
}

function hasText(value: unknown, texts: ReadonlySet<string>): boolean {
  if (typeof value === 'string') return texts.has(value);
  if (isArray(value)) return value.some((each) => hasText(each, texts));
  return isObject(value) && Object.values(value).some((each) => hasText(each, texts));
}
/** https://docs.litellm.ai/docs/adding_provider/generic_guardrail_api */
function liteLlmRequest(
  question: GuardQuestion,
  url: string,
  headers: readonly string[],
  config: JsonObject,
): RemoteRequest {
  const { exchange, texts, request } = question;
  const path = '/beta/litellm_basic_guardrail_api';
  const { principal } = exchange.caller;
  return {
    url: url.endsWith(path) ? url : `${url.replace(/\/+$/, '')}${path}`,
    headers,
    body: {
      input_type: isOutput(question) ? 'response' : 'request',
      litellm_call_id: exchange.id,
      litellm_trace_id: exchange.id,
      structured_messages: isArray(request['messages']) ? request['messages'] : null,
      images: null,
      tools: isArray(request['tools']) ? request['tools'] : null,
      texts: texts.map(({ text }) => text),
      request_data: { user_api_key_alias: principal.keyId, user_api_key_user_id: principal.subject },
      additional_provider_specific_params: config,
    },
    read(answer) {
      const { action, blocked_reason: reason, texts: changed } = answer;
      if (action === 'BLOCKED') return failed(stringOf(reason) ?? 'It refused.');
      if (action !== 'NONE' && action !== 'GUARDRAIL_INTERVENED')
        throw new Error('its answer has no `action` that is known');
      if (action === 'NONE' || changed === undefined || changed === null) return PASSED;
      const isTexts =
        isArray(changed) && changed.length === texts.length && changed.every((each) => typeof each === 'string');
      if (!isTexts) throw new Error('it answered with other texts than were asked about');
      return { result: 'mutated', texts: changed as readonly string[] };
    },
  };
}
