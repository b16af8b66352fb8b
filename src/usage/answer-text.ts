import { isArray, isObject } from '../codec/json-value.ts';

/** What the first bytes of an answer (OpenAI's wire, streamed or not) say in words. */
export interface AnswerText {
  text: string;
  /** Calls of tools begun in it; their frames are tokens too. */
  toolCalls: number;
  /** Bytes of the answer that this text came in: what one byte is worth. */
  textBytes: number;
  /** Bytes that were not seen and are taken for more of the same. */
  restBytes: number;
}

/** Undefined where the sample shows no text: what was thought or drawn before it cannot be counted, nor is it zero. */
export function answerText(sample: Buffer, totalBytes: number): AnswerText | undefined {
  const found: AnswerText = { text: '', toolCalls: 0, textBytes: 0, restBytes: 0 };
  // A field name or a comment at the start of a line; JSON begins with a brace.
  if (/^(data|event|id|retry)?:/m.test(sample.toString('latin1', 0, 256))) readStream(sample, totalBytes, found);
  else if (sample.length >= totalBytes) readWhole(sample, found);
  else readBeginning(sample, totalBytes, found);
  return found.text === '' && found.toolCalls === 0 ? undefined : found;
}

function readStream(sample: Buffer, totalBytes: number, found: AnswerText): void {
  let start = 0;
  for (let end = sample.indexOf(0x0a); end >= 0; end = sample.indexOf(0x0a, start)) {
    const line = sample.toString('utf8', start, end);
    // With the empty line that ends the event.
    if (line.startsWith('data:') && readChoices(parseJson(line.slice(5)), found)) found.textBytes += end + 2 - start;
    start = end + 1;
  }
  found.restBytes = Math.max(0, totalBytes - start);
}

function readWhole(sample: Buffer, found: AnswerText): void {
  readChoices(parseJson(sample.toString('utf8')), found);
  found.textBytes = sample.length;
}

/** What commonly follows the text of a whole answer: finish reason and so on. */
const TAIL_BYTES = 100;

/** Of a whole answer the beginning: the strings of content in it, of which the last one may go on past the sample. */
function readBeginning(sample: Buffer, totalBytes: number, found: AnswerText): void {
  const raw = sample.toString('utf8');
  const opening = /"(content|reasoning_content|reasoning|text|refusal|arguments)"\s*:\s*"/g;
  for (let match = opening.exec(raw); match !== null; match = opening.exec(raw)) {
    const start = opening.lastIndex;
    const end = closingQuote(raw, start);
    if (match[1] === 'arguments') found.toolCalls += 1;
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

/** Whether anything was said in it. */
function readChoices(answer: unknown, found: AnswerText): boolean {
  const choices = isObject(answer) ? answer['choices'] : undefined;
  if (!isArray(choices)) return false;
  const before = found.text.length + found.toolCalls;
  for (const choice of choices) {
    if (isObject(choice)) readMessage(choice['delta'] ?? choice['message'] ?? choice, found);
  }
  return found.text.length + found.toolCalls > before;
}

const textKeys = ['content', 'reasoning_content', 'reasoning', 'refusal', 'text'];

function readMessage(message: unknown, found: AnswerText): void {
  if (!isObject(message)) return;
  for (const key of textKeys) {
    const value = message[key];
    if (typeof value === 'string') found.text += value;
    else if (isArray(value)) for (const part of value) readMessage(part, found);
  }
  const calls = message['tool_calls'];
  if (!isArray(calls)) return;
  for (const call of calls) {
    const called = isObject(call) ? call['function'] : undefined;
    if (!isObject(called)) continue;
    const { name, arguments: argumentsText } = called;
    if (typeof name === 'string' && name !== '') {
      found.toolCalls += 1;
      found.text += name;
    }
    if (typeof argumentsText === 'string') found.text += argumentsText;
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // `[DONE]`, a cut string, or what a provider should not have sent: no text for an estimate.
    return undefined;
  }
}
