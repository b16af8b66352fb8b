import { isArray, type JsonObject, parseObject } from '../../codec/json-value.ts';
import type { GuardConfig } from '../../config/guardrails/guardrails.ts';
import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';
import type { HttpAnswer, HttpClient } from '../../core/http-client.ts';
import type { Credential } from '../../providers/credential.ts';
import { type Guard, type GuardQuestion, PASSED, type Verdict } from '../guard.ts';
import { RememberedAnswers } from './remembered.ts';

/** One request to a service that judges. */
export interface RemoteRequest {
  readonly url: string;
  /** Flat name-value pairs, beside those of its credential. */
  readonly headers?: readonly string[];
  readonly body: unknown;
  /** What its answer says. Throws where it is not understood, with words for people. */
  read?(answer: JsonObject, status: number): Verdict;
  /** Of a service whose answers are lists. */
  readList?(answer: readonly unknown[]): Verdict;
  /** Statuses beside 2xx that are an answer and no failure. */
  readonly verdictStatuses?: readonly number[];
}

export interface RemoteService {
  /** Undefined: it has nothing to say of this. */
  request(question: GuardQuestion): RemoteRequest | undefined | Promise<RemoteRequest | undefined>;
  /** Authorises its requests; undefined: their own headers do. */
  readonly credential?: Credential | undefined;
}

type Check = NonNullable<Guard['check']>;

const MAX_ANSWER_BYTES = 4 * 1024 * 1024;
/** The runner's own deadline comes first; this is for what it abandoned. */
const MAX_MS = 600_000;

/** A guard that asks a service by HTTP. What it answers is read by its service; everything else is an error. */
export function remoteGuard(config: GuardConfig, http: HttpClient, service: RemoteService): Guard {
  return { config, check: remoteCheck(config, http, service) };
}

export function remoteCheck(config: GuardConfig, http: HttpClient, service: RemoteService): Check {
  const remembered = config.remember && new RememberedAnswers(config.remember);
  return async (question, signal) => {
    const request = await service.request(question);
    if (request === undefined) return PASSED;
    const body = JSON.stringify(request.body);
    // The exchange has a new id each time, and what is asked about it is the same.
    const key = remembered?.keyOf(request.url, body.replaceAll(question.exchange.id, ''));
    const known = key === undefined ? undefined : remembered?.find(key);
    if (known !== undefined) return known;
    const headers = headersOf(request, body, service.credential);
    if (headers instanceof GatewayError) return { result: 'error', message: `${config.name}: ${headers.message}` };
    const answer = await http({
      url: request.url,
      method: 'POST',
      headers,
      body,
      timeoutMs: MAX_MS,
      maxBytes: MAX_ANSWER_BYTES,
      signal,
    });
    const verdict = verdictOf(config, request, answer, question);
    if (key !== undefined) remembered?.keep(key, verdict);
    return verdict;
  };
}

function headersOf(
  request: RemoteRequest,
  body: string,
  credential: Credential | undefined,
): OrError<readonly string[]> {
  const headers = ['content-type', 'application/json', 'accept', 'application/json', ...(request.headers ?? [])];
  if (credential === undefined) return headers;
  const { origin, pathname, search } = new URL(request.url);
  const asked = { method: 'POST', origin, path: pathname + search, headers, body: Buffer.from(body) } as const;
  const signed = credential.sign(asked);
  return signed instanceof GatewayError ? signed : [...headers, ...signed];
}

function verdictOf(
  config: GuardConfig,
  request: RemoteRequest,
  { status, body }: HttpAnswer,
  { texts }: GuardQuestion,
): Verdict {
  const { name, operation } = config;
  const isAnswer = (status >= 200 && status <= 299) || request.verdictStatuses?.includes(status) === true;
  if (!isAnswer) return { result: 'error', message: `${name} answered ${status}.` };
  const text = body.toString();
  const verdict = readVerdict(request, text, status);
  if (verdict === undefined) return { result: 'error', message: `${name} answered what is not JSON of its form.` };
  if (verdict.result !== 'mutated' || operation !== 'validate') return verdict;
  // One that only looks changes nothing: what it would take out must not pass.
  const isChanged = verdict.texts.some((text, at) => text !== texts[at]?.text);
  return isChanged ? failed('It would change the text, and its operation is validate.') : PASSED;
}

function readVerdict(request: RemoteRequest, text: string, status: number): Verdict | undefined {
  if (request.readList !== undefined) {
    const list = parseArray(text);
    return list && request.readList(list);
  }
  const answer = text.trim() === 'null' ? {} : parseObject(text);
  return answer && request.read?.(answer, status);
}

function parseArray(text: string): readonly unknown[] | undefined {
  // A list alone is no object of JSON for `parseObject`.
  const wrapped = parseObject(`{"list":${text}}`)?.['list'];
  return isArray(wrapped) ? wrapped : undefined;
}

export function found(names: readonly string[]): Verdict {
  return names.length > 0 ? failed(`Found: ${names.join(', ')}.`) : PASSED;
}

/** All that is said in one text, for services that read one. */
export function joined({ texts }: GuardQuestion): string {
  return texts.map(({ text }) => text).join('\n');
}

export function isOutput({ hook }: GuardQuestion): boolean {
  return hook === 'llm-output' || hook === 'mcp-post';
}

export function failed(message: string): Verdict {
  return { result: 'failed', message };
}

export function authKey({ auth }: GuardConfig, key: string): string {
  const value = auth?.[key];
  if (typeof value !== 'string') throw new Error(`it has no \`auth_data.${key}\``);
  return value;
}
