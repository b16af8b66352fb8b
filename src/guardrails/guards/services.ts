import { scalarText } from '../../codec/exact-json.ts';
import { isArray, isObject, objectOf, stringOf } from '../../codec/json-value.ts';
import type { GuardConfig } from '../../config/guardrails/guardrails.ts';
import type { HttpClient } from '../../core/http-client.ts';
import type { Credential } from '../../providers/credential.ts';
import { type Guard, type GuardQuestion, PASSED } from '../guard.ts';
import { azureContentSafety, azurePii, azurePromptShield } from './azure-guards.ts';
import { awsBedrock, modelArmor } from './cloud-guards.ts';
import {
  type Asked,
  authKey,
  failed,
  found,
  isOutput,
  joined,
  need,
  type RemoteRequest,
  remoteGuard,
  type Service,
} from './remote-guard.ts';
import { piecesOf } from './text-pieces.ts';

const bearer = (config: GuardConfig): string[] => ['authorization', `Bearer ${authKey(config, 'api_key')}`];

/** https://platform.openai.com/docs/api-reference/moderations */
const openAiModerations: Service = (config) => {
  const {
    model,
    base_url: base = 'https://api.openai.com/v1',
    category_thresholds: thresholds,
  } = config.config as {
    model: string;
    base_url?: string;
    category_thresholds?: Readonly<Record<string, number>>;
  };
  const headers = bearer(config);
  return ({ texts }) => ({
    url: `${base}/moderations`,
    headers,
    body: { model, input: texts.map(({ text }) => text) },
    read(answer) {
      if (!isArray(answer['results'])) throw new Error('its answer has no `results`');
      if (answer['results'].length !== texts.length) throw new Error('its answer is not about each text');
      const names = new Set<string>();
      for (const each of answer['results']) {
        const { categories, category_scores: scores, flagged } = need(each, 'results');
        const scoreOf = objectOf(scores) ?? {};
        const isFlagged = objectOf(categories) ?? {};
        for (const name of new Set([...Object.keys(isFlagged), ...Object.keys(scoreOf)])) {
          const least = thresholds?.[name];
          if (
            least === undefined
              ? isFlagged[name] === true && flagged === true
              : Number(scalarText(scoreOf[name])) >= least
          )
            names.add(name);
        }
      }
      return found([...names]);
    },
  });
};

/**
 * https://docs.enkryptai.com
 * Its policy says what is found; personal data alone is taken out by another of its endpoints, a text a request.
 */
const enkryptAi: Service = (config) => {
  const base = 'https://api.enkryptai.com/guardrails';
  const key = ['apikey', authKey(config, 'api_key')];
  const headers = [...key, 'x-enkrypt-policy', String(config.config['guardrail_name'])];
  const withoutPii = ({ texts }: GuardQuestion): Asked =>
    piecesOf(
      texts.map(({ text }) => text),
      { maxCharacters: Number.POSITIVE_INFINITY },
    ).map(
      (piece): RemoteRequest => ({
        url: `${base}/pii`,
        headers: key,
        pieces: [piece],
        body: { text: piece.text, mode: 'request', key: 'null' },
        read({ text }) {
          if (typeof text !== 'string') throw new Error('its answer has no `text`');
          return { result: 'mutated', texts: [text] };
        },
      }),
    );
  return (question) => ({
    url: `${base}/policy/detect`,
    headers,
    body: { text: joined(question) },
    read(answer) {
      const summary = Object.entries(need(answer['summary'], 'summary'));
      const names = summary.flatMap(([name, value]) =>
        value === 1 || (isArray(value) && value.length > 0) ? [name] : [],
      );
      const isPiiAlone = names.length > 0 && names.every((name) => name === 'pii');
      return config.operation === 'mutate' && isPiiAlone ? withoutPii(question) : found(names);
    },
  });
};

/**
 * https://pan.dev/prisma-airs/api/airuntimesecurity/scan/scan-sync-request/
 * https://pan.dev/prisma-airs/api/airuntimesecurity/scan/scan-async-request/
 */
const prismaAirs: Service = (config) => {
  const {
    profile_name: profile,
    base_url: base,
    mode,
    metadata_key_mapping: mapping = {},
  } = config.config as {
    profile_name: string;
    base_url: string;
    mode?: 'sync' | 'async';
    metadata_key_mapping?: Readonly<Record<string, string>>;
  };
  const headers = ['x-pan-token', authKey(config, 'api_key')];
  return (question) => {
    const { exchange } = question;
    const mapped = Object.entries(mapping).flatMap(([field, key]) => {
      const value = exchange.metadata[key];
      return value === undefined ? [] : [[field, value]];
    });
    const scan = {
      tr_id: exchange.id,
      ai_profile: { profile_name: profile },
      metadata: {
        ai_model: exchange.model,
        app_user: exchange.caller.principal.subject,
        ...Object.fromEntries(mapped),
      },
      contents: [{ [isOutput(question) ? 'response' : 'prompt']: joined(question) }],
    };
    if (mode === 'async') {
      return {
        url: `${base}/scan/async/request`,
        headers,
        body: [{ req_id: 1, scan_req: scan }],
        // What it makes of this is told in its own console alone.
        read({ scan_id: id }) {
          if (typeof id !== 'string') throw new Error('its answer has no `scan_id`');
          return PASSED;
        },
      };
    }
    return {
      url: `${base}/scan/sync/request`,
      headers,
      body: scan,
      read({ action, category }) {
        if (action === 'block') return failed(`Found: ${scalarText(category) ?? 'a threat'}.`);
        if (action !== 'allow' && action !== 'alert') throw new Error('its answer has no `action` that is known');
        return PASSED;
      },
    };
  };
};

/** What Fiddler advises where the manifest says nothing: its scores of faithfulness lie near 0 or near 1. */
const FAITHFUL_LEAST = 0.005;
const UNSAFE_LEAST = 0.5;

/** https://docs.fiddler.ai/developers/tutorials/guardrails */
const fiddler: Service = (config) => {
  const {
    guard_type: kind,
    threshold,
    base_url: base = 'https://guardrails.cloud.fiddler.ai',
  } = config.config as {
    guard_type: string;
    threshold?: number;
    base_url?: string;
  };
  const headers = bearer(config);
  if (kind === 'fiddler-response-faithfulness') {
    return (question) => {
      if (!isOutput(question)) return undefined;
      const context = JSON.stringify(question.request['messages'] ?? question.request['input'] ?? '');
      return {
        url: `${base}/v3/guardrails/ftl-response-faithfulness`,
        headers,
        body: { data: { response: joined(question), context } },
        read({ fdl_faithful_score: score }) {
          if (typeof score !== 'number') throw new Error('its answer has no `fdl_faithful_score`');
          return score < (threshold ?? FAITHFUL_LEAST)
            ? failed('The answer is not faithful to what was given.')
            : PASSED;
        },
      };
    };
  }
  return (question) => ({
    url: `${base}/v3/guardrails/ftl-safety`,
    headers,
    body: { data: { input: joined(question) } },
    read(answer) {
      const scores = Object.entries(answer).filter(
        ([name, score]) => name.startsWith('fdl_') && typeof score === 'number',
      );
      if (scores.length === 0) throw new Error('its answer has no scores');
      return found(
        scores.flatMap(([name, score]) =>
          Number(score) >= (threshold ?? UNSAFE_LEAST) ? [name.slice('fdl_'.length)] : [],
        ),
      );
    },
  });
};

/** https://aidr-docs.crowdstrike.com/docs/aidr/ */
const crowdStrike: Service = (config) => {
  const base = stringOf(config.config['base_url']) ?? 'https://api.crowdstrike.com/aidr/aiguard';
  const headers = bearer(config);
  return (question) => {
    const output = isOutput(question);
    return {
      url: `${base}/v1/guard_chat_completions`,
      headers,
      body: {
        guard_input: {
          messages: question.texts.map(({ text, role }) => ({
            role: role ?? (output ? 'assistant' : 'user'),
            content: text,
          })),
        },
        event_type: output ? 'output' : 'input',
      },
      read(answer) {
        const { blocked, transformed, guard_output: made } = need(answer['result'], 'result');
        if (blocked === true) return failed('It blocked this.');
        const messages = objectOf(made)?.['messages'];
        if (transformed !== true) return PASSED;
        const texts = isArray(messages) ? messages.map((each) => stringOf(objectOf(each)?.['content'])) : [];
        if (texts.length !== question.texts.length || texts.includes(undefined))
          throw new Error('it changed what was not asked about');
        return { result: 'mutated', texts: texts as readonly string[] };
      },
    };
  };
};

/** https://docs.patronus.ai/docs/api_ref/evaluate */
const patronus: Service = (config) => {
  const { evaluators, base_url: base = 'https://api.patronus.ai/v1' } = config.config as {
    evaluators: readonly { type: string; criteria: string }[];
    base_url?: string;
  };
  const headers = ['x-api-key', authKey(config, 'api_key')];
  return (question) => ({
    url: `${base}/evaluate`,
    headers,
    body: {
      evaluators: evaluators.map(({ type, criteria }) => ({ evaluator: type, criteria })),
      evaluated_model_input: isOutput(question)
        ? JSON.stringify(question.request['messages'] ?? question.request['input'] ?? '')
        : joined(question),
      evaluated_model_output: joined(question),
    },
    read({ results }) {
      if (!isArray(results) || results.length === 0) throw new Error('its answer has no `results`');
      return found(
        results.flatMap((each) => {
          const { status, evaluation_result: judged, criteria } = need(each, 'results');
          if (status !== 'success') throw new Error('an evaluator did not judge');
          return objectOf(judged)?.['pass'] === true ? [] : [scalarText(criteria) ?? 'unnamed'];
        }),
      );
    },
  });
};

/** https://docs.grayswan.ai/cygnal/monitor-requests, https://api.grayswan.ai/openapi.json */
const cygnal: Service = (config) => {
  const {
    base_url: url,
    policy_ids: policies,
    rules,
    reasoning_mode: mode,
  } = config.config as {
    base_url: string;
    policy_ids?: readonly string[];
    rules?: Readonly<Record<string, string>>;
    reasoning_mode: string;
  };
  const headers = ['grayswan-api-key', authKey(config, 'api_key')];
  const least = 0.5;
  return (question) => ({
    url,
    headers,
    body: {
      messages: question.texts.map(({ text, role }) => ({
        role: role ?? (isOutput(question) ? 'assistant' : 'user'),
        content: text,
      })),
      ...(policies?.length && { policy_ids: policies }),
      ...(rules && { rules }),
      reasoning_mode: mode,
    },
    read({ violation, ipi, error, violated_rule_descriptions: violated }) {
      if (typeof violation !== 'number') throw new Error('its answer has no `violation`');
      if (error === true) throw new Error('it could not judge');
      const names = isArray(violated) ? violated.flatMap((each) => stringOf(objectOf(each)?.['name']) ?? []) : [];
      if (violation >= least) return found(names.length > 0 ? names : ['a violation of its policy']);
      return ipi === true ? failed('Found: an indirect injection.') : PASSED;
    },
  });
};

/** What an answer of OPA may have, by its options; `warning` where its input was not understood as one. */
const OPA_KEYS = new Set(['result', 'decision_id', 'metrics', 'provenance', 'explanation', 'print', 'warning']);

/** https://www.openpolicyagent.org/docs/rest-api#get-a-document-with-input */
const opa: Service = (config) => {
  const { opa_url: base, policy_path: path } = config.config as Readonly<Record<string, string>>;
  const { auth } = config;
  const given = objectOf(auth?.['headers']) ?? {};
  const headers =
    auth?.['type'] === 'bearer-auth'
      ? ['authorization', `Bearer ${String(auth['bearer_token'])}`]
      : Object.entries(given).flatMap(([name, value]) => [name.toLowerCase(), String(value)]);
  return ({ hook, exchange, request, response, texts }) => ({
    url: `${base}/v1/data/${path!.replace(/^\/+/, '')}`,
    headers,
    body: {
      input: {
        hook,
        model: exchange.model,
        user: { subject: exchange.caller.principal.subject, teams: exchange.caller.teams },
        metadata: exchange.metadata,
        request,
        response,
        texts: texts.map(({ text }) => text),
      },
    },
    read(answer) {
      const { result, decision_id: decision } = answer;
      if (Object.keys(answer).some((key) => !OPA_KEYS.has(key))) throw new Error('its answer is none of OPA');
      // A rule without a default that does not hold has no value, and OPA leaves it out.
      const allowed = (isObject(result) ? result['allow'] : result) ?? false;
      if (typeof allowed !== 'boolean') throw new Error('the policy says neither true nor false');
      if (allowed) return PASSED;
      const reason = stringOf(isObject(result) ? (result['reason'] ?? result['message']) : undefined);
      const told = reason ?? 'The policy does not allow it.';
      return failed(typeof decision === 'string' ? `${told} (decision ${decision})` : told);
    },
  });
};

const SERVICES: Readonly<Record<string, Service>> = {
  'openai-moderations': openAiModerations,
  'azure-content-safety': azureContentSafety,
  'azure-prompt-shield': azurePromptShield,
  'azure-pii': azurePii,
  'aws-bedrock': awsBedrock,
  'enkrypt-ai': enkryptAi,
  'palo-alto-prisma-airs': prismaAirs,
  fiddler,
  'crowdstrike-aidr': crowdStrike,
  patronus,
  'google-model-armor': modelArmor,
  'grayswan-cygnal': cygnal,
  opa,
};

/** Undefined: no service of this kind is known. Throws where it cannot be asked with the credential that it has. */
export function serviceGuard(config: GuardConfig, http: HttpClient, credential?: Credential): Guard | undefined {
  const service = SERVICES[config.kind];
  if (service === undefined) return undefined;
  const request = service(config);
  // Most refuse to be asked about no words; a policy may judge by what else it is told.
  const isAboutWords = service !== opa;
  return remoteGuard(config, http, {
    request: (question) =>
      isAboutWords && question.texts.every(({ text }) => text === '') ? undefined : request(question),
    credential,
  });
}
