import { isArray, isObject, type JsonObject } from '../codec/json-value.ts';

/** What the first bytes of an answer (OpenAI's wire, streamed or not) say in words. */
export interface AnswerText {
  text: string;
  /** Bytes of the answer that this text came in: what one byte is worth. */
  textBytes: number;
  /** Bytes that were not seen and are taken for more of the same. */
  restBytes: number;
}

const contentKeys = ['content', 'reasoning_content', 'reasoning', 'refusal'] as const;

/** Undefined where the sample shows no text: what was thought, drawn or said before it cannot be counted, nor is it zero. */
export function answerText(sample: Buffer, totalBytes: number): AnswerText | undefined {
  const whole = sample.length >= totalBytes;
  const found = /^(data|event|id|:)/m.test(sample.toString('latin1', 0, 256))
    ? streamed(sample, totalBytes)
    : whole
      ? parsed(sample)
      : cutShort(sample, totalBytes);
  return found.text === '' && found.toolCalls === 0 ? undefined : found;
}

function streamed(sample: Buffer, totalBytes: number): AnswerText {
  let text = '';
  let textBytes = 0;
  let start = 0;
  for (let end = sample.indexOf(0x0a); end >= 0; end = sample.indexOf(0x0a, start)) {
    const line = sample.toString('utf8', start, end);
    const piece = line.startsWith('data:') ? choicesText(parseJson(line.slice(5))) : '';
    // With the empty line that ends the event.
    if (piece !== '') textBytes += end + 2 - start;
    text += piece;
    start = end + 1;
  }
  return { text, textBytes, restBytes: Math.max(0, totalBytes - start) };
}

function parsed(sample: Buffer): AnswerText {
  return { text: choicesText(parseJson(sample.toString('utf8'))), textBytes: sample.length, restBytes: 0 };
}

/** Bytes that commonly follow the text of a whole answer: finish reason and so on. */
const TAIL_BYTES = 100;

/** The beginning of a whole answer: the strings of content in it, the last of which goes on where the sample stops. */
function cutShort(sample: Buffer, totalBytes: number): AnswerText {
  const raw = sample.toString('utf8');
  const opening = /"(?:content|reasoning_content|reasoning|text|refusal|arguments)"\s*:\s*"/g;
  let text = '';
  let textBytes = 0;
  let goesOn = false;
  for (let match = opening.exec(raw); match !== null; match = opening.exec(raw)) {
    const end = closingQuote(raw, opening.lastIndex);
    const inside = raw.slice(opening.lastIndex, end);
    goesOn = end === raw.length;
    // A cut may have left half an escape or half a character at the end.
    const value = parseJson(`"${goesOn ? inside.replace(/\\(u[0-9a-f]{0,3})?$|\ufffd+$/i, '') : inside}"`);
    if (typeof value === 'string') {
      text += value;
      textBytes += Buffer.byteLength(inside);
    }
    opening.lastIndex = end;
  }
  return { text, textBytes, restBytes: goesOn ? Math.max(0, totalBytes - sample.length - TAIL_BYTES) : 0 };
}

function closingQuote(raw: string, from: number): number {
  for (let at = from; at < raw.length; at++) {
    if (raw[at] === '\\') at += 1;
    else if (raw[at] === '"') return at;
  }
  return raw.length;
}

function choicesText(answer: unknown): string {
  const choices = isObject(answer) ? answer['choices'] : undefined;
  if (!isArray(choices)) return '';
  let text = '';
  for (const choice of choices) {
    if (!isObject(choice)) continue;
    const message = choice['delta'] ?? choice['message'];
    if (isObject(message)) text += messageText(message);
    else if (typeof choice['text'] === 'string') text += choice['text'];
  }
  return text;
}

function messageText(message: JsonObject): string {
  let text = '';
  for (const key of contentKeys) {
    const value = message[key];
    if (typeof value === 'string') text += value;
    else if (isArray(value)) for (const part of value) if (isObject(part)) text += textOf(part['text']);
  }
  const calls = message['tool_calls'];
  if (isArray(calls)) {
    for (const call of calls) {
      const called = isObject(call) ? call['function'] : undefined;
      if (isObject(called)) text += textOf(called['name']) + textOf(called['arguments']);
    }
  }
  return text;
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // `[DONE]`, or what a provider should not have sent: no text for an estimate.
    return undefined;
  }
}
