import type { GuardConfig } from '../../config/guardrails/guardrails.ts';
import { type Guard, PASSED } from '../guard.ts';
import { compilePattern } from '../scan/recogniser.ts';

type Constraint =
  | { readonly constraint: 'regex'; readonly regex: string }
  | { readonly constraint: 'allowed_values'; readonly allowed_values: readonly string[] };

/** `tfy-metadata`: what the metadata of a request must and may hold. */
export function metadataGuard(config: GuardConfig): Guard {
  const { allow_unknown_keys: allowsUnknown, keys } = config.config as {
    allow_unknown_keys: boolean;
    keys: Readonly<Record<string, { required?: boolean; value?: Constraint }>>;
  };
  const rules = Object.entries(keys).map(([key, { required = false, value }]) => ({
    key,
    required,
    fits: value && compileConstraint(value),
  }));
  return {
    config,
    isLocal: true,
    check({ exchange: { metadata } }) {
      const faults: string[] = [];
      for (const { key, required, fits } of rules) {
        const value = Object.hasOwn(metadata, key) ? metadata[key] : undefined;
        if (value === undefined) {
          if (required) faults.push(`Metadata key \`${key}\` is missing.`);
        } else if (fits?.(value) === false) faults.push(`Metadata key \`${key}\` has a value that is not allowed.`);
      }
      if (!allowsUnknown) {
        for (const key of Object.keys(metadata)) {
          if (!Object.hasOwn(keys, key)) faults.push(`Metadata key \`${key.slice(0, 64)}\` is not known.`);
        }
      }
      return faults.length > 0 ? { result: 'failed', message: faults.join(' ') } : PASSED;
    },
  };
}

function compileConstraint(constraint: Constraint): (value: string) => boolean {
  if (constraint.constraint === 'allowed_values') return (value) => constraint.allowed_values.includes(value);
  const pattern = compilePattern(constraint.regex);
  return (value) => pattern.matches(value);
}
