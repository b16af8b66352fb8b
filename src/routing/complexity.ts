import type { ComplexityTier } from '../config/rules/routing-settings.ts';

/** A longer one is complex, and not read. */
const MAX_READ_BYTES = 65_536;
const MEDIUM_BYTES = 2_000;
const LONG_BYTES = 24_000;
const COMPLEX_SCORE = 4;
const MEDIUM_SCORE = 2;

/** Each is worth points once, however often it stands there. */
const SIGNS: readonly (readonly [RegExp, number])[] = [
  [/```|\bfunction\b|\bclass \w|\bSELECT\b.+\bFROM\b|\bdef \w+\(/, 2],
  [/"tools"\s*:\s*\[\s*\{/, 1],
  [/"image_url"|"input_audio"|"type"\s*:\s*"image"/, 1],
  [/step by step|prove|theorem|derive|refactor|architecture|trade-?offs?|root cause|optimi[sz]e|debug|algorithm/i, 2],
  [/compare|analy[sz]e|summari[sz]e|explain why|design|plan|translate/i, 1],
  [/"reasoning_effort"\s*:\s*"(?:medium|high|xhigh)"|"thinking"\s*:\s*\{/, 2],
];

/**
 * How hard a request is, told by signs in its bytes without asking a model. A conversation is sent whole each time, so
 * what made it hard stays in it: within one session the tier only rises.
 */
export function complexityOf(body: Buffer): ComplexityTier {
  // What stood before that may have been hard.
  if (body.length > MAX_READ_BYTES) return 'complex';
  const text = body.toString('latin1');
  let score = body.length > LONG_BYTES ? 3 : body.length > MEDIUM_BYTES ? 1 : 0;
  for (const [sign, points] of SIGNS) if (sign.test(text)) score += points;
  if (score >= COMPLEX_SCORE) return 'complex';
  return score >= MEDIUM_SCORE ? 'medium' : 'simple';
}
