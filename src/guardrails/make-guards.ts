import type { GuardKind } from '../config/guardrails/guard-schemas.ts';
import type { GuardConfig } from '../config/guardrails/guardrails.ts';
import type { Guard } from './guard.ts';
import { piiGuard, regexGuard, secretGuard } from './guards/local-guards.ts';
import { metadataGuard } from './guards/metadata-guard.ts';

type Make = (config: GuardConfig) => Guard;

const MAKERS: Partial<Record<GuardKind, Make>> = {
  regex: regexGuard,
  'secret-detection': secretGuard,
  'tfy-pii': piiGuard,
  'tfy-metadata': metadataGuard,
};

/** All guards of a configuration by name. One that cannot be made says so whenever it is asked, as its strategy wants. */
export function makeGuards(configs: readonly GuardConfig[]): Map<string, Guard> {
  const guards = new Map<string, Guard>();
  for (const config of configs) guards.set(config.name, makeGuard(config));
  return guards;
}

/** Why a guard cannot be made; undefined: it can. */
export function guardFault(config: GuardConfig): string | undefined {
  const make = MAKERS[config.kind];
  if (make === undefined) return `guards of the kind \`${config.kind}\` are not built yet`;
  try {
    make(config);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : 'it cannot be made';
  }
}

function makeGuard(config: GuardConfig): Guard {
  const make = MAKERS[config.kind];
  try {
    if (make !== undefined) return make(config);
  } catch (error) {
    return unusable(config, error instanceof Error ? error.message : 'it cannot be made');
  }
  return unusable(config, `guards of the kind \`${config.kind}\` are not built yet`);
}

function unusable(config: GuardConfig, message: string): Guard {
  return { config, isLocal: true, check: () => ({ result: 'error', message: `${config.name}: ${message}.` }) };
}
