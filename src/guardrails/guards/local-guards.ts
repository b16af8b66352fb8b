import type { GuardConfig } from '../../config/guardrails/guardrails.ts';
import type { HttpClient } from '../../core/http-client.ts';
import type { Guard } from '../guard.ts';
import { type Recogniser, recogniser } from '../scan/recogniser.ts';
import { piiRecognisers } from './pii-recognisers.ts';
import { presidioCheck } from './presidio.ts';
import { presetRecogniser } from './regex-presets.ts';
import { secretRecognisers } from './secret-recognisers.ts';

/** Guards that judge by a few bytes. */

const DEFAULT_REDACTION = '[REDACTED]';

/** Throws where a pattern is none, with words for people. */
export function regexGuard(config: GuardConfig): Guard {
  const { preset_patterns: presets, custom_patterns: patterns } = config.config as {
    preset_patterns?: { presets: readonly string[] };
    custom_patterns?: readonly { pattern: string; redaction_text: string; max_match_bytes?: number }[];
  };
  return withRecognisers(config, (owner) => [
    ...(presets?.presets ?? []).flatMap((name) => {
      const preset = presetRecogniser(name, { owner, replacement: DEFAULT_REDACTION });
      if (preset === undefined) throw new Error(`there is no preset \`${name}\``);
      return preset;
    }),
    ...(patterns ?? []).map(({ pattern, redaction_text: replacement, max_match_bytes: most }, at) =>
      recogniser(`pattern ${at + 1}`, pattern, {
        owner,
        replacement,
        ...(most !== undefined && { maxCharacters: most }),
      }),
    ),
  ]);
}

export function secretGuard(config: GuardConfig): Guard {
  const replacement = String(config.config['redaction_text'] ?? DEFAULT_REDACTION);
  return withRecognisers(config, (owner) => secretRecognisers({ owner, replacement }));
}

/** Names and places are asked of a Presidio where one is configured; all else is found here. */
export function piiGuard(config: GuardConfig, http: HttpClient): Guard {
  const {
    pii_categories: categories,
    redaction_text: redaction,
    pseudonyms,
    presidio_url: presidio,
  } = config.config as {
    pii_categories: readonly string[];
    redaction_text?: string;
    pseudonyms?: boolean;
    presidio_url?: string;
  };
  const isReversible = pseudonyms === true && config.operation === 'mutate';
  const check = presidio === undefined ? undefined : presidioCheck(config, http, presidio);
  return withRecognisers(
    config,
    (owner) => piiRecognisers(categories, (category) => ({ owner, replacement: redaction ?? `[${category}]` })),
    { ...(isReversible && { pseudonyms: true as const }), ...(check && { check }) },
  );
}

function withRecognisers(
  config: GuardConfig,
  make: (owner: object) => Recogniser[],
  more: Pick<Guard, 'pseudonyms' | 'check'> = {},
): Guard {
  const guard: Guard & { recognisers: readonly Recogniser[] } = {
    config,
    recognisers: [],
    ...more,
  };
  guard.recognisers = make(guard);
  return guard;
}
