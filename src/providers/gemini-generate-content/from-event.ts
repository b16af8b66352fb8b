import { mayChangeNumbers, parseExact } from '../../codec/exact-json.ts';
import { countOf, isArray, isObject, type JsonObject, objectOf, stringOf } from '../../codec/json-value.ts';
import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';
import type { InferenceEvent } from '../../inference/event.ts';
import { markSignature } from '../../inference/signature.ts';
import type { EventReader } from '../provider.ts';
import { pushCitations } from './citations.ts';
import { toFinishReason } from './finish-reason.ts';
import { toUsage } from './to-usage.ts';
import { VENDOR } from './vendor.ts';

/** A stream is a row of answers that each hold a piece; it has no end of its own. https://ai.google.dev/api/generate-content#v1beta.GenerateContentResponse */
export function eventReader(): EventReader {
  return new ResponseReader();
}

/** A whole answer as the events its stream would have been. */
export function fromResponse(body: Buffer): OrError<InferenceEvent[]> {
  const events: InferenceEvent[] = [];
  const reader = new ResponseReader();
  reader.fromEvent(undefined, body.toString('utf8'), events);
  const [first] = events;
  if (first?.type === 'error' && first.errorType === NOT_JSON) {
    return new GatewayError('upstream_protocol', { detail: 'Its answer is not JSON.' });
  }
  if (first?.type === 'error' || reader.finished) return events;
  return new GatewayError('upstream_protocol', { detail: 'Its answer has no finished candidate.' });
}

const NOT_JSON = 'upstream_protocol';
/** Beyond it sources are told without the place in the text that they belong to. */
const MAX_CITED_CHARACTERS = 1_000_000;

/** One of several answers as it comes. */
interface Candidate {
  /** What it said so far: places of sources are told in bytes of it. */
  text: string;
  calls: number;
  finished: boolean;
}

class ResponseReader implements EventReader {
  /** There is no event that says the end. */
  readonly complete = false;
  readonly #candidates = new Map<number, Candidate>();
  #started = false;
  #blocked = false;
  #responseId: string | undefined;

  /** Every candidate has its finish reason, or the prompt was refused. Usage may still follow. */
  get finished(): boolean {
    if (this.#blocked) return true;
    if (this.#candidates.size === 0) return false;
    for (const { finished } of this.#candidates.values()) if (!finished) return false;
    return true;
  }

  fromEvent(_event: string | undefined, data: string, out: InferenceEvent[]): void {
    let value: unknown;
    try {
      // Arguments go out as text again: no number may change on the way.
      value = data.includes('functionCall') && mayChangeNumbers(data) ? parseExact(data) : JSON.parse(data);
    } catch {
      out.push({ type: 'error', status: 502, errorType: NOT_JSON, message: 'An event is not JSON.' });
      return;
    }
    const answer = isArray(value) ? value[0] : value;
    if (!isObject(answer)) return;
    if (isObject(answer['error'])) {
      pushError(answer['error'], out);
      return;
    }
    this.#start(answer, out);
    const candidates = answer['candidates'];
    if (isArray(candidates)) {
      for (const [place, candidate] of candidates.entries()) {
        if (isObject(candidate)) this.#candidate(candidate, countOf(candidate['index']) ?? place, out);
      }
    }
    this.#promptFeedback(answer, out);
    const usage = toUsage(answer['usageMetadata'], answer);
    if (usage) out.push({ type: 'usage', usage });
  }

  #start(answer: JsonObject, out: InferenceEvent[]): void {
    if (this.#started) return;
    this.#started = true;
    this.#responseId = stringOf(answer['responseId']);
    out.push({ type: 'start', id: this.#responseId, model: stringOf(answer['modelVersion']) });
  }

  #candidate(source: JsonObject, choice: number, out: InferenceEvent[]): void {
    let candidate = this.#candidates.get(choice);
    if (candidate === undefined) {
      candidate = { text: '', calls: 0, finished: false };
      this.#candidates.set(choice, candidate);
    }
    const parts = objectOf(source['content'])?.['parts'];
    if (isArray(parts)) {
      for (const part of parts) if (isObject(part)) this.#part(part, candidate, choice, out);
    }
    const logprobs = chosenLogprobs(source['logprobsResult']);
    if (logprobs) out.push({ type: 'logprobs', content: logprobs, choice });
    pushCitations(source, candidate.text, choice, out);
    const reason = stringOf(source['finishReason']);
    if (reason === undefined || reason === 'FINISH_REASON_UNSPECIFIED') return;
    candidate.finished = true;
    out.push({ type: 'finish', reason: toFinishReason(reason, candidate.calls), choice });
  }

  #part(part: JsonObject, candidate: Candidate, choice: number, out: InferenceEvent[]): void {
    const plain = stringOf(part['thoughtSignature']);
    const signature = plain === undefined ? undefined : markSignature(VENDOR, plain);
    const call = objectOf(part['functionCall']);
    if (call) {
      this.#functionCall(call, signature, candidate, choice, out);
      return;
    }
    const text = stringOf(part['text']);
    if (text) {
      if (part['thought'] === true) out.push({ type: 'reasoning', text, choice });
      else {
        out.push({ type: 'text', text, choice });
        if (candidate.text.length < MAX_CITED_CHARACTERS) candidate.text += text;
      }
    }
    const inline = objectOf(part['inlineData']);
    if (inline) pushInlineData(inline, choice, out);
    for (const key of ['executableCode', 'codeExecutionResult']) {
      if (isObject(part[key]))
        out.push({ type: 'extension', key: 'code_execution', value: [{ [key]: part[key] }], choice });
    }
    if (signature !== undefined) out.push({ type: 'reasoning-signature', signature, choice });
  }

  #functionCall(
    call: JsonObject,
    signature: string | undefined,
    candidate: Candidate,
    choice: number,
    out: InferenceEvent[],
  ): void {
    const index = candidate.calls;
    candidate.calls += 1;
    const id = stringOf(call['id']) ?? this.#callId(choice, index);
    const name = stringOf(call['name']) ?? '';
    out.push({ type: 'tool-call', index, id, name, ...(signature !== undefined && { signature }), choice });
    out.push({ type: 'tool-call-arguments', index, text: JSON.stringify(call['args'] ?? {}), choice });
  }

  /**
   * Most calls have no id of their own; one that follows from the answer is the same however the stream was cut. OpenAI,
   * which may get it after a change of vendor, takes 40 characters.
   */
  #callId(choice: number, index: number): string {
    const answer = this.#responseId?.replace(/[^A-Za-z0-9_-]/g, '_').slice(0, 28) ?? crypto.randomUUID();
    return `call_${answer}_${choice === 0 ? '' : `${choice}_`}${index}`;
  }

  /** The prompt itself was refused: there is no candidate that could say so. */
  #promptFeedback(answer: JsonObject, out: InferenceEvent[]): void {
    const raw = stringOf(objectOf(answer['promptFeedback'])?.['blockReason']);
    if (raw === undefined || this.#blocked) return;
    this.#blocked = true;
    out.push({ type: 'finish', reason: { unified: 'content-filter', raw } });
  }
}

function pushInlineData(inline: JsonObject, choice: number, out: InferenceEvent[]): void {
  const mediaType = stringOf(inline['mimeType']) ?? 'application/octet-stream';
  const base64 = stringOf(inline['data']) ?? '';
  if (mediaType.startsWith('image/')) out.push({ type: 'image', mediaType, base64, choice });
  else out.push({ type: 'extension', key: 'inline_data', value: [{ mime_type: mediaType, data: base64 }], choice });
}

/** https://ai.google.dev/api/generate-content#LogprobsResult, in OpenAI's form. */
function chosenLogprobs(result: unknown): unknown[] | undefined {
  const chosen = objectOf(result)?.['chosenCandidates'];
  if (!isArray(chosen)) return undefined;
  const top = objectOf(result)?.['topCandidates'];
  return chosen.map((entry, place) => {
    const others = isArray(top) ? objectOf(top[place])?.['candidates'] : undefined;
    return { ...logprob(entry), top_logprobs: isArray(others) ? others.map(logprob) : [] };
  });
}

function logprob(entry: unknown): { token: string; logprob: unknown; bytes: number[] } {
  const token = stringOf(objectOf(entry)?.['token']) ?? '';
  return { token, logprob: objectOf(entry)?.['logProbability'], bytes: [...Buffer.from(token)] };
}

function pushError(error: JsonObject, out: InferenceEvent[]): void {
  const code = countOf(error['code']);
  out.push({
    type: 'error',
    status: code !== undefined && code >= 400 && code <= 599 ? code : 502,
    errorType: stringOf(error['status']) ?? 'UNKNOWN',
    message: stringOf(error['message']) ?? 'The provider gave no reason.',
  });
}
