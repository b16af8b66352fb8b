import { z } from 'zod';
import { keyWithDefault, text } from '../scalar-schema.ts';
import { patternFault } from './linear-pattern.ts';
import type { Redaction } from './request-log-rules.ts';

/**
 * The patterns that are blacked out of kept bodies. RE2 takes time in proportion to the text, whatever they are:
 * no look-around and no back-references. `hint`: of a text without it nothing is found; a regular expression of the machine's
 * own that looks at each place once, which is a hundred times as fast.
 */
const PRESETS = {
  email: {
    pattern: String.raw`[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}`,
    hint: String.raw`@`,
  },
  us_ssn: {
    pattern: String.raw`\b\d{3}-\d{2}-\d{4}\b`,
    hint: String.raw`\d-\d\d-\d`,
  },
  us_phone: {
    pattern: String.raw`(?:\+1[-. ]?)?\(?\b[2-9]\d{2}\)?[-. ]\d{3}[-. ]\d{4}\b`,
    hint: String.raw`\d{3}[-. ]\d{4}`,
  },
  credit_card: {
    pattern: String.raw`\b(?:4\d{3}|5[1-5]\d{2}|3[47]\d{2}|6(?:011|5\d{2}))[- ]?\d{4,6}[- ]?\d{4,5}(?:[- ]?\d{4})?\b`,
    hint: String.raw`\d{4}`,
  },
  aws_access_key: {
    pattern: String.raw`\b(?:AKIA|ASIA)[0-9A-Z]{16}\b`,
    hint: String.raw`A[KS]IA`,
  },
  github_token: {
    pattern: String.raw`\b(?:gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{22,255})`,
    hint: String.raw`gh[pousr]_|github_pat_`,
  },
  slack_token: {
    pattern: String.raw`\bxox[abeoprs]-[A-Za-z0-9-]{10,}`,
    hint: String.raw`xox[abeoprs]-`,
  },
  generic_api_key: {
    pattern: String.raw`\b(?:sk|pk|rk)-[A-Za-z0-9_-]{16,}`,
    hint: String.raw`[spr]k-`,
  },
  ipv4: {
    pattern: String.raw`\b(?:\d{1,3}\.){3}\d{1,3}\b`,
    hint: String.raw`\d\.\d{1,3}\.\d`,
  },
} as const;

const presetNames = Object.keys(PRESETS) as (keyof typeof PRESETS)[];

const replacement = keyWithDefault(text(256), '[REDACTED]').describe('What stands in its place.');

const pattern = text(1024).superRefine((written, context) => {
  const fault = patternFault(written);
  if (fault !== undefined)
    context.issues.push({ code: 'custom', message: `a pattern of RE2: ${fault}`, input: written });
});

export const redactionPattern = z
  .union(
    [
      z.strictObject({ preset: z.enum(presetNames).describe('A pattern by name.'), replacement }),
      z.strictObject({ pattern: pattern.describe('Of RE2: no look-around, no back-references.'), replacement }),
    ],
    {
      error: `\`preset\` (${presetNames.join(', ')}) or \`pattern\`, and perhaps \`replacement\``,
    },
  )
  .transform(
    (written): Redaction => ({
      ...('preset' in written ? PRESETS[written.preset] : { pattern: written.pattern }),
      replacement: written.replacement,
    }),
  );
