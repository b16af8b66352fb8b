import { isObject, type JsonObject } from '../codec/json-value.ts';
import type { AnswerText } from '../inference/sampled-text.ts';

/** Where a form keeps the words of its answers. */
export interface AnswerWords {
  /** Adds what the data of one event, or a whole answer, says. */
  read(answer: JsonObject, found: AnswerText): void;
  /** Keys whose string is text; `call`: of those, the one that stands once in each tool call. */
  readonly keys: readonly string[];
  readonly callKey: string;
}

/** What commonly follows the text of a whole answer: finish reason and so on. */
const TAIL_BYTES = 100;

/**
 * The words in the first bytes of an answer. Undefined where they show none: what was thought or drawn before them
 * cannot be counted, nor is it zero.
 */
export function sampledAnswer(sample: Buffer, totalBytes: number, words: AnswerWords): AnswerText | undefined {
  const found: AnswerText = { text: '', toolCalls: 0, textBytes: 0, restBytes: 0 };
  // A field name or a comment at the start of a line; JSON begins with a brace.
  if (/^(data|event|id|retry)?:/m.test(sample.toString('latin1', 0, 256))) readStream(sample, totalBytes, words, found);
  else if (sample.length >= totalBytes) {
    const answer = parseJson(sample.toString('utf8'));
    if (isObject(answer)) words.read(answer, found);
    found.textBytes = sample.length;
  } else readBeginning(sample, totalBytes, words, found);
  return found.text === '' && found.toolCalls === 0 ? undefined : found;
}

function readStream(sample: Buffer, totalBytes: number, words: AnswerWords, found: AnswerText): void {
  let start = 0;
  let eventStart = 0;
  for (let end = sample.indexOf(0x0a); end >= 0; end = sample.indexOf(0x0a, start)) {
    const line = sample.toString('utf8', start, end);
    const answer = line.startsWith('data:') ? parseJson(line.slice(5)) : undefined;
    if (isObject(answer)) {
      const before = found.text.length + found.toolCalls;
      words.read(answer, found);
      // With the lines before it in its event, and the empty line that ends it.
      if (found.text.length + found.toolCalls > before) found.textBytes += end + 2 - eventStart;
    }
    start = end + 1;
    if (line === '' || line === '\r') eventStart = start;
  }
  found.restBytes = Math.max(0, totalBytes - start);
}

/**
 * Reads the beginning of a whole answer: the strings of content in it, of which the last one may go on past the
 * sample.
 */
function readBeginning(sample: Buffer, totalBytes: number, { keys, callKey }: AnswerWords, found: AnswerText): void {
  const raw = sample.toString('utf8');
  const opening = new RegExp(`"(${keys.join('|')})"\\s*:\\s*"`, 'g');
  for (let match = opening.exec(raw); match !== null; match = opening.exec(raw)) {
    const start = opening.lastIndex;
    const end = closingQuote(raw, start);
    if (match[1] === callKey) found.toolCalls += 1;
    found.text += unescaped(raw.slice(start, end));
    found.textBytes += Buffer.byteLength(raw.slice(start, end));
    if (end === raw.length) found.restBytes = Math.max(0, totalBytes - sample.length - TAIL_BYTES);
    opening.lastIndex = end;
  }
}

function closingQuote(raw: string, from: number): number {
  for (let at = from; at < raw.length; at++) {
    if (raw[at] === '\\') at += 1;
    else if (raw[at] === '"') return at;
  }
  return raw.length;
}

/** A cut may have left part of an escape at the end: at most a `\u` and three of its digits. */
function unescaped(inside: string): string {
  for (let less = 0; less <= 5 && less <= inside.length; less++) {
    const value = parseJson(`"${inside.slice(0, inside.length - less)}"`);
    if (typeof value === 'string') return value;
  }
  return '';
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // `[DONE]`, a cut string, or what a provider should not have sent: no text for an estimate.
    return undefined;
  }
}
