import { z } from 'zod';
import type { Redaction } from '../configuration.ts';
import { keyWithDefault, text } from '../scalar-schema.ts';
import { patternFault } from './linear-pattern.ts';

/**
 * What is blacked out of kept bodies. Patterns are of RE2, which takes time in proportion to the text whatever they are:
 * no look-around and no back-references.
 */
const PRESETS = {
  email: String.raw`[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}`,
  us_ssn: String.raw`\b\d{3}-\d{2}-\d{4}\b`,
  us_phone: String.raw`(?:\+1[-. ]?)?\(?\b[2-9]\d{2}\)?[-. ]\d{3}[-. ]\d{4}\b`,
  credit_card: String.raw`\b(?:4\d{3}|5[1-5]\d{2}|3[47]\d{2}|6(?:011|5\d{2}))[- ]?\d{4,6}[- ]?\d{4,5}(?:[- ]?\d{4})?\b`,
  aws_access_key: String.raw`\b(?:AKIA|ASIA)[0-9A-Z]{16}\b`,
  github_token: String.raw`\b(?:gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{22,255})`,
  slack_token: String.raw`\bxox[abeoprs]-[A-Za-z0-9-]{10,}`,
  generic_api_key: String.raw`\b(?:sk|pk|rk)-[A-Za-z0-9_-]{16,}`,
  ipv4: String.raw`\b(?:\d{1,3}\.){3}\d{1,3}\b`,
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
      pattern: 'preset' in written ? PRESETS[written.preset] : written.pattern,
      replacement: written.replacement,
    }),
  );
