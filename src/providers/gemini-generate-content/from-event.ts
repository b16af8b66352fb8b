import { mayChangeNumbers, parseExact } from '../../codec/exact-json.ts';
import { countOf, isArray, isObject, type JsonObject, objectOf, stringOf } from '../../codec/json-value.ts';
import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';
import type { InferenceEvent } from '../../inference/event.ts';
import type { EventReader } from '../provider.ts';
import { CandidateReader } from './candidate-reader.ts';
import { toUsage } from './to-usage.ts';

/** A stream is a row of answers that each hold a piece; it has no end of its own. https://ai.google.dev/api/generate-content#v1beta.GenerateContentResponse */
export function eventReader(): EventReader {
  return new ResponseReader();
}

/** A whole answer as the events its stream would have been. A stream that was not asked for as events is a list. */
export function fromResponse(body: Buffer): OrError<InferenceEvent[]> {
  const events: InferenceEvent[] = [];
  const reader = new ResponseReader();
  reader.fromEvent(undefined, body.toString('utf8'), events);
  const failed = events.find((event) => event.type === 'error');
  if (failed?.errorType === NOT_JSON) {
    return new GatewayError('upstream_protocol', { detail: 'Its answer is not JSON.' });
  }
  if (failed) return events;
  // HTTP says that it is whole: a candidate that gives no reason to end has ended all the same.
  if (!reader.answered) return new GatewayError('upstream_protocol', { detail: 'Its answer has no candidate.' });
  reader.end(events);
  return events;
}

const NOT_JSON = 'upstream_protocol';

class ResponseReader implements EventReader {
  /** There is no event that says the end. */
  readonly complete = false;
  readonly #candidates = new Map<number, CandidateReader>();
  #started = false;
  #blockReason: string | undefined;
  #responseId: string | undefined;

  /** Every candidate has its finish reason, or the prompt was refused. Usage may still follow. */
  get finished(): boolean {
    if (this.#blockReason !== undefined) return true;
    if (this.#candidates.size === 0) return false;
    for (const { finishReason } of this.#candidates.values()) if (finishReason === undefined) return false;
    return true;
  }

  get answered(): boolean {
    return this.#candidates.size > 0 || this.#blockReason !== undefined;
  }

  fromEvent(_event: string | undefined, data: string, out: InferenceEvent[]): void {
    // Servers that speak this form beside OpenAI's send its end as well.
    if (data === '[DONE]') return;
    let value: unknown;
    try {
      // Arguments go out as text again: no number may change on the way.
      value = data.includes('functionCall') && mayChangeNumbers(data) ? parseExact(data) : JSON.parse(data);
    } catch {
      out.push({ type: 'error', status: 502, errorType: NOT_JSON, message: 'An event is not JSON.' });
      return;
    }
    for (const answer of isArray(value) ? value : [value]) if (isObject(answer)) this.#answer(answer, out);
  }

  #answer(answer: JsonObject, out: InferenceEvent[]): void {
    if (isObject(answer['error'])) {
      pushError(answer['error'], out);
      return;
    }
    this.#start(answer, out);
    const candidates = answer['candidates'];
    if (isArray(candidates)) {
      for (const [place, candidate] of candidates.entries()) {
        if (isObject(candidate)) this.#candidate(countOf(candidate['index']) ?? place).read(candidate, out);
      }
    }
    this.#promptFeedback(objectOf(answer['promptFeedback']), out);
    const usage = toUsage(answer['usageMetadata'], answer);
    if (usage) out.push({ type: 'usage', usage });
  }

  /** Some models name a finish reason with each piece: which is the last one, only the end tells. */
  end(out: InferenceEvent[]): void {
    if (this.#blockReason !== undefined) {
      out.push({ type: 'finish', reason: { unified: 'content-filter', raw: this.#blockReason } });
    }
    for (const candidate of this.#candidates.values()) candidate.end(out);
  }

  #start(answer: JsonObject, out: InferenceEvent[]): void {
    if (this.#started) return;
    this.#started = true;
    this.#responseId = stringOf(answer['responseId']);
    out.push({ type: 'start', id: this.#responseId, model: stringOf(answer['modelVersion']) });
  }

  #candidate(choice: number): CandidateReader {
    let candidate = this.#candidates.get(choice);
    if (candidate === undefined) {
      candidate = new CandidateReader(choice, this.#responseId);
      this.#candidates.set(choice, candidate);
    }
    return candidate;
  }

  /** The prompt itself was refused: there is no candidate that could say so. */
  #promptFeedback(feedback: JsonObject | undefined, out: InferenceEvent[]): void {
    const raw = stringOf(feedback?.['blockReason']);
    if (raw === undefined || raw === 'BLOCKED_REASON_UNSPECIFIED' || this.#blockReason !== undefined) return;
    this.#blockReason = raw;
    const words = stringOf(feedback?.['blockReasonMessage']);
    if (words) out.push({ type: 'refusal', text: words });
    out.push({ type: 'extension', key: 'prompt_feedback', value: feedback });
  }
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
