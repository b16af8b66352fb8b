import { isUtf8 } from 'node:buffer';
import { type LinearPattern, linearPattern } from '../config/rules/linear-pattern.ts';
import type { Redaction } from '../config/rules/request-log-rules.ts';
import type { KeptBody } from '../store/request-bodies.ts';
import type { CapturedBody, HiddenText } from '../threads/request-log-messages.ts';
import { MARGIN_BYTES } from './capture.ts';
import { redactedText, type TextRedactor } from './redacted-text.ts';
import { streamedTexts } from './streamed-texts.ts';

const patterns = new Map<string, LinearPattern>();
const MAX_PATTERNS = 1_000;

/** All of them, one after the other; undefined: there is none. */
export function redactorOf(redactions: readonly Redaction[]): TextRedactor | undefined {
  if (redactions.length === 0) return undefined;
  const compiled = redactions.map(({ pattern, replacement, hint }) => ({
    pattern: patternOf(pattern),
    replacement,
    hint: hint === undefined ? undefined : new RegExp(hint),
  }));
  return (text) => {
    let redacted = text;
    for (const { pattern, replacement, hint } of compiled) {
      if (hint?.test(redacted) ?? true) redacted = pattern.replaceAll(redacted, replacement);
    }
    return redacted;
  };
}

/** First what guards put back for the client alone, then what patterns find. */
export function hiding(hidden: readonly HiddenText[], redact: TextRedactor | undefined): TextRedactor | undefined {
  if (hidden.length === 0) return redact;
  const instead = new Map(hidden);
  // The longer one is meant, of two that begin at the same place.
  const texts = [...instead.keys()].sort((a, b) => b.length - a.length).map(quotePattern);
  const any = new RegExp(texts.join('|'), 'g');
  return (text) => {
    const left = text.replace(any, (found) => instead.get(found) ?? '');
    return redact === undefined ? left : redact(left);
  };
}

function quotePattern(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
}

function patternOf(pattern: string): LinearPattern {
  let compiled = patterns.get(pattern);
  if (compiled === undefined) {
    if (patterns.size >= MAX_PATTERNS) patterns.clear();
    compiled = linearPattern(pattern);
    patterns.set(pattern, compiled);
  }
  return compiled;
}

/**
 * The kept part of a body. The end of a body that is cut is left out: half a secret may stand there,
 * which no pattern finds. An event stream has its texts put together, since a secret may come in pieces; where anything is
 * blacked out its bytes are not kept.
 */
export function keptBody(body: CapturedBody, maxBytes: number, redact: TextRedactor | undefined): KeptBody {
  const { contentType, bytes, start } = body;
  const seen = start?.length ?? 0;
  const about = { content_type: contentType ?? null, bytes, truncated: bytes > Math.min(seen, maxBytes) };
  if (start === undefined) return about;
  const text = textOf(start);
  if (text === undefined) return about;
  const isCut = bytes > seen;
  const bounded = (whole: string): string => {
    const cut = isCut ? whole.slice(0, Math.max(0, whole.length - MARGIN_BYTES)) : whole;
    return cut.slice(0, maxBytes);
  };
  if (!contentType?.startsWith('text/event-stream')) return { ...about, text: bounded(redactedText(text, redact)) };
  const texts = streamedTexts(text).map(({ at, text: joined }) => ({
    at,
    text: bounded(redactedText(joined, redact)),
  }));
  return { ...about, texts, ...(redact === undefined && { text: bounded(text) }) };
}

/** Undefined: it is none. A character that was cut in two at the end is left out. */
function textOf(bytes: Uint8Array): string | undefined {
  for (let cut = 0; cut < 4 && cut <= bytes.length; cut += 1) {
    const whole = bytes.subarray(0, bytes.length - cut);
    if (isUtf8(whole)) return Buffer.from(whole.buffer, whole.byteOffset, whole.byteLength).toString();
  }
  return undefined;
}
