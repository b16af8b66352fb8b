import { isArray, isObject, type JsonObject, objectOf, stringOf } from '../../codec/json-value.ts';
import type { ContentEvent, InferenceEvent } from '../../inference/event.ts';
import { markSignature } from '../../inference/signature.ts';
import { CitationReader } from './citations.ts';
import { toFinishReason } from './finish-reason.ts';
import { StreamedArguments } from './streamed-arguments.ts';
import { VENDOR } from './vendor.ts';

/** Beyond it sources are told without the place in the text that they belong to. */
const MAX_CITED_CHARACTERS = 1_000_000;

/** What Google's own tools did on its side. https://ai.google.dev/gemini-api/docs/code-execution */
const CODE = ['executableCode', 'codeExecutionResult'];
const SERVER_TOOL = ['toolCall', 'toolResponse'];
/** Keys that say something of a part, and are none. */
const ABOUT_A_PART: ReadonlySet<string> = new Set(['thought', 'thoughtSignature', 'partMetadata', 'videoMetadata']);

/** One of several answers as it comes. https://ai.google.dev/api/generate-content#v1beta.Candidate */
export class CandidateReader {
  readonly #choice: number;
  readonly #responseId: string | undefined;
  readonly #citations = new CitationReader();
  /** What it said so far: places of sources are told in bytes of it. */
  #text = '';
  #calls = 0;
  /** A call whose arguments go on in the next event. */
  #open: { index: number; args: StreamedArguments } | undefined;
  /** In Google's word. */
  finishReason: string | undefined;
  #finishMessage: unknown;
  #safetyRatings: unknown;

  constructor(choice: number, responseId: string | undefined) {
    this.#choice = choice;
    this.#responseId = responseId;
  }

  read(source: JsonObject, out: InferenceEvent[]): void {
    const parts = objectOf(source['content'])?.['parts'];
    if (isArray(parts)) for (const part of parts) if (isObject(part)) this.#part(part, out);
    const logprobs = chosenLogprobs(source['logprobsResult']);
    if (logprobs) this.#push({ type: 'logprobs', content: logprobs }, out);
    this.#citations.read(source);
    this.#finishMessage = source['finishMessage'] ?? this.#finishMessage;
    this.#safetyRatings = source['safetyRatings'] ?? this.#safetyRatings;
    if (source['continuationToken']) this.#extension('continuation_token', source['continuationToken'], out);
    const reason = stringOf(source['finishReason']);
    if (reason !== undefined && reason !== 'FINISH_REASON_UNSPECIFIED') this.finishReason = reason;
  }

  end(out: InferenceEvent[]): void {
    this.#closeCall(out);
    this.#citations.end(this.#text, (event) => this.#push(event, out));
    const reason = toFinishReason(this.finishReason ?? 'STOP', this.#calls);
    const isClean = reason.unified === 'stop' || reason.unified === 'tool-calls';
    if (!isClean && this.#finishMessage) this.#extension('finish_message', this.#finishMessage, out);
    const tellsSafety = reason.unified === 'content-filter' || isBlocked(this.#safetyRatings);
    if (tellsSafety && isArray(this.#safetyRatings)) this.#extension('safety_ratings', this.#safetyRatings, out);
    out.push({ type: 'finish', reason, choice: this.#choice });
  }

  #push(event: ContentEvent, out: InferenceEvent[]): void {
    out.push({ ...event, choice: this.#choice });
  }

  #extension(key: string, value: unknown, out: InferenceEvent[]): void {
    this.#push({ type: 'extension', key, value }, out);
  }

  #part(part: JsonObject, out: InferenceEvent[]): void {
    const plain = stringOf(part['thoughtSignature']);
    const signature = plain ? markSignature(VENDOR, plain) : undefined;
    const call = objectOf(part['functionCall']);
    if (call) {
      this.#functionCall(call, signature, out);
      return;
    }
    const isThought = part['thought'] === true;
    const text = stringOf(part['text']);
    const inline = objectOf(part['inlineData']);
    if (text !== undefined) this.#said(text, isThought, out);
    else if (inline) this.#inlineData(inline, isThought, out);
    else this.#other(part, out);
    if (signature !== undefined) this.#push({ type: 'reasoning-signature', signature }, out);
  }

  #said(text: string, isThought: boolean, out: InferenceEvent[]): void {
    if (text === '') return;
    if (isThought) {
      this.#push({ type: 'reasoning', text }, out);
      return;
    }
    this.#push({ type: 'text', text }, out);
    if (this.#text.length < MAX_CITED_CHARACTERS) this.#text += text;
  }

  /** Images that a model draws while it thinks are no part of its answer. */
  #inlineData(inline: JsonObject, isThought: boolean, out: InferenceEvent[]): void {
    const mediaType = stringOf(inline['mimeType']) ?? 'application/octet-stream';
    const base64 = stringOf(inline['data']) ?? '';
    if (isThought) this.#extension('thought_inline_data', [{ mime_type: mediaType, data: base64 }], out);
    else if (mediaType.startsWith('image/')) this.#push({ type: 'image', mediaType, base64 }, out);
    else if (mediaType.startsWith('audio/')) this.#push({ type: 'audio', mediaType, base64 }, out);
    else this.#extension('inline_data', [{ mime_type: mediaType, data: base64 }], out);
  }

  #other(part: JsonObject, out: InferenceEvent[]): void {
    for (const [key, value] of Object.entries(part)) {
      if (ABOUT_A_PART.has(key) || value === null) continue;
      const under = CODE.includes(key)
        ? 'code_execution'
        : SERVER_TOOL.includes(key)
          ? 'server_tools'
          : 'other_content';
      this.#extension(under, [{ [key]: value }], out);
    }
  }

  #functionCall(call: JsonObject, signature: string | undefined, out: InferenceEvent[]): void {
    const name = stringOf(call['name']);
    const goesOn = call['willContinue'] === true;
    if (name !== undefined || this.#open === undefined) {
      this.#closeCall(out);
      // The end of a call that was closed already says nothing.
      if (name === undefined && signature === undefined && call['args'] === undefined) return;
      const index = this.#calls;
      this.#calls += 1;
      const id = stringOf(call['id']) ?? this.#callId(index);
      this.#push(
        { type: 'tool-call', index, id, name: name ?? '', ...(signature !== undefined && { signature }) },
        out,
      );
      if (!goesOn && call['partialArgs'] === undefined) {
        this.#push({ type: 'tool-call-arguments', index, text: JSON.stringify(call['args'] ?? {}) }, out);
        return;
      }
      this.#open = { index, args: new StreamedArguments() };
    }
    this.#open.args.add(call['args'], call['partialArgs']);
    if (!goesOn) this.#closeCall(out);
  }

  #closeCall(out: InferenceEvent[]): void {
    if (this.#open === undefined) return;
    const { index, args } = this.#open;
    this.#open = undefined;
    this.#push({ type: 'tool-call-arguments', index, text: args.text() }, out);
  }

  /**
   * Most calls have no id of their own; one that follows from the answer is the same however the stream was cut. OpenAI,
   * which may get it after a change of vendor, takes 40 characters.
   */
  #callId(index: number): string {
    const answer = this.#responseId?.replace(/[^A-Za-z0-9_-]/g, '_').slice(0, 28) ?? crypto.randomUUID().slice(0, 28);
    return `call_${answer}_${this.#choice === 0 ? '' : `${this.#choice}_`}${index}`;
  }
}

function isBlocked(ratings: unknown): boolean {
  return isArray(ratings) && ratings.some((rating) => objectOf(rating)?.['blocked'] === true);
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
  // Google leaves out what is 0.
  return { token, logprob: objectOf(entry)?.['logProbability'] ?? 0, bytes: [...Buffer.from(token)] };
}
