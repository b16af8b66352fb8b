import { isArray, type JsonObject, objectOf, parseObject } from '../../codec/json-value.ts';
import type { GuardConfig } from '../../config/guardrails/guardrails.ts';
import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';
import type { HttpAnswer, HttpClient } from '../../core/http-client.ts';
import type { Credential } from '../../providers/credential.ts';
import { type Guard, type GuardQuestion, PASSED, type Verdict } from '../guard.ts';
import { RememberedAnswers } from './remembered.ts';
import { joinedVerdict, type PieceVerdict, type TextPiece } from './text-pieces.ts';

/** One request to a service that judges. */
export interface RemoteRequest {
  readonly url: string;
  /** Flat name-value pairs, beside those of its credential. */
  readonly headers?: readonly string[];
  readonly body: unknown;
  /** What it is about, where it is one of several: `mutated` gives as many texts. */
  readonly pieces?: readonly TextPiece[];
  /** What its answer says, or what has to be asked then. Throws where it is not understood, with words for people. */
  read?(answer: JsonObject, status: number): Verdict | Asked;
  /** Reads the answer of a service that answers with lists. */
  readList?(answer: readonly unknown[]): Verdict;
  /** Statuses beside 2xx that are an answer and no failure. */
  readonly verdictStatuses?: readonly number[];
}

/** One request, or several whose answers count together. */
export type Asked = RemoteRequest | readonly RemoteRequest[];

export interface RemoteService {
  /** Undefined: it has nothing to say of this. */
  request(question: GuardQuestion): Asked | undefined;
  /** Authorises its requests; undefined: their own headers do. */
  readonly credential?: Credential | undefined;
}

/** Made once for a guard; undefined: it has nothing to say of this. */
export type Service = (config: GuardConfig) => (question: GuardQuestion) => Asked | undefined;

type Check = NonNullable<Guard['check']>;

const MAX_ANSWER_BYTES = 4 * 1024 * 1024;
/** The runner's own deadline comes first; this is for what it abandoned. */
const MAX_MS = 600_000;
/** Requests about one question: under way at once, and in all. */
const MAX_TOGETHER = 4;
const MAX_REQUESTS = 64;

/** A guard that asks a service by HTTP. What it answers is read by its service; everything else is an error. */
export function remoteGuard(config: GuardConfig, http: HttpClient, service: RemoteService): Guard {
  return { config, check: remoteCheck(config, http, service) };
}

export function remoteCheck(config: GuardConfig, http: HttpClient, service: RemoteService): Check {
  const remembered = config.remember && new RememberedAnswers(config.remember);
  return async (question, signal) => {
    const asked = service.request(question);
    if (asked === undefined) return PASSED;
    const inquiry = new Inquiry({ config, http, credential: service.credential, remembered }, question, signal);
    return withinOperation(config, await inquiry.verdictOf(asked), question);
  };
}

interface InquiryMeans {
  readonly config: GuardConfig;
  readonly http: HttpClient;
  readonly credential: Credential | undefined;
  readonly remembered: RememberedAnswers | undefined;
}

/** All that one question has to be asked for. */
class Inquiry {
  readonly #means: InquiryMeans;
  readonly #question: GuardQuestion;
  readonly #signal: AbortSignal;

  constructor(means: InquiryMeans, question: GuardQuestion, signal: AbortSignal) {
    this.#means = means;
    this.#question = question;
    this.#signal = signal;
  }

  verdictOf(asked: Asked): Promise<Verdict> {
    return isOne(asked) ? this.#ask(asked) : this.#askAll(asked);
  }

  async #askAll(asked: readonly RemoteRequest[]): Promise<Verdict> {
    const { name } = this.#means.config;
    if (asked.length > MAX_REQUESTS) {
      const most = `${MAX_REQUESTS} requests at the most`;
      return { result: 'error', message: `${name} would need ${asked.length} requests for a text this long; ${most}.` };
    }
    const verdicts: PieceVerdict[] = [];
    let next = 0;
    const work = async (): Promise<void> => {
      while (next < asked.length) {
        const at = next;
        next += 1;
        const { pieces = [] } = asked[at]!;
        verdicts[at] = { pieces, verdict: await this.#ask(asked[at]!) };
      }
    };
    await Promise.all(Array.from({ length: Math.min(MAX_TOGETHER, asked.length) }, work));
    return joinedVerdict(
      verdicts,
      this.#question.texts.map(({ text }) => text),
    );
  }

  async #ask(request: RemoteRequest): Promise<Verdict> {
    const { config, http, credential, remembered } = this.#means;
    const body = JSON.stringify(request.body);
    // The exchange has a new id each time, and what is asked about it is the same.
    const key = remembered?.keyOf(request.url, body.replaceAll(this.#question.exchange.id, ''));
    const known = key === undefined ? undefined : remembered?.find(key);
    if (known !== undefined) return known;
    const headers = headersOf(request, body, credential);
    if (headers instanceof GatewayError) return { result: 'error', message: `${config.name}: ${headers.message}` };
    const answer = await http({
      url: request.url,
      method: 'POST',
      headers,
      body,
      timeoutMs: MAX_MS,
      maxBytes: MAX_ANSWER_BYTES,
      signal: this.#signal,
    });
    const read = readAnswer(config, request, answer);
    const verdict = isVerdict(read) ? read : await this.verdictOf(read);
    if (key !== undefined) remembered?.keep(key, verdict);
    return verdict;
  }
}

function isOne(asked: Asked): asked is RemoteRequest {
  return !isArray(asked);
}

function isVerdict(read: Verdict | Asked): read is Verdict {
  return 'result' in read;
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

function readAnswer(config: GuardConfig, request: RemoteRequest, { status, body }: HttpAnswer): Verdict | Asked {
  const { name } = config;
  const isAnswer = (status >= 200 && status <= 299) || request.verdictStatuses?.includes(status) === true;
  if (!isAnswer) return { result: 'error', message: `${name} answered ${status}.` };
  const read = readBody(request, body.toString(), status);
  return read ?? { result: 'error', message: `${name} answered what is not JSON of its form.` };
}

function readBody(request: RemoteRequest, text: string, status: number): Verdict | Asked | undefined {
  if (request.readList !== undefined) {
    const list = parseArray(text);
    return list && request.readList(list);
  }
  const answer = text.trim() === 'null' ? {} : parseObject(text);
  return answer && request.read?.(answer, status);
}

/** One that only looks changes nothing: what it would take out must not pass. */
function withinOperation({ operation }: GuardConfig, verdict: Verdict, { texts }: GuardQuestion): Verdict {
  if (verdict.result !== 'mutated' || operation !== 'validate') return verdict;
  const isChanged = verdict.replaced !== undefined || verdict.texts.some((text, at) => text !== texts[at]?.text);
  return isChanged ? failed('It would change the text, and its operation is validate.') : PASSED;
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

/** An answer that lacks what it must have is no verdict. */
export function need(value: unknown, name: string): JsonObject {
  const object = objectOf(value);
  if (object === undefined) throw new Error(`its answer has no \`${name}\``);
  return object;
}
