import type { GuardKind } from '../config/guardrails/guard-schemas.ts';
import type { GuardConfig } from '../config/guardrails/guardrails.ts';
import type { HttpClient } from '../core/http-client.ts';
import type { Credential } from '../providers/credential.ts';
import type { Guard } from './guard.ts';
import { cedarGuard } from './guards/cedar-guard.ts';
import { aktoGuard, customGuard } from './guards/custom-guard.ts';
import { codeSafetyGuard, moderationGuard, promptInjectionGuard } from './guards/heuristics.ts';
import { piiGuard, regexGuard, secretGuard } from './guards/local-guards.ts';
import { metadataGuard } from './guards/metadata-guard.ts';
import { serviceGuard } from './guards/services.ts';
import { sqlGuard } from './guards/sql-guard.ts';

/** What guards need to ask others. */
export interface GuardMeans {
  readonly http: HttpClient;
  /**
   * The credential of a guard that is a service of a cloud; undefined: it says itself who asks. Throws where it has
   * none.
   */
  credentialOf(config: GuardConfig): Credential | undefined;
}

type Make = (config: GuardConfig, http: HttpClient) => Guard;

const MAKERS: Partial<Record<GuardKind, Make>> = {
  regex: regexGuard,
  'secret-detection': secretGuard,
  'tfy-pii': piiGuard,
  'tfy-metadata': metadataGuard,
  'code-safety-linter': codeSafetyGuard,
  'tfy-prompt-injection': promptInjectionGuard,
  'tfy-content-moderation': moderationGuard,
  'sql-sanitizer': sqlGuard,
  cedar: cedarGuard,
  custom: customGuard,
  akto: aktoGuard,
};

/** All guards of a configuration by name. One that cannot be made says so whenever it is asked, as its strategy wants. */
export function makeGuards(configs: readonly GuardConfig[], means: GuardMeans): Map<string, Guard> {
  return new Map(configs.map((config) => [config.name, makeGuard(config, means)]));
}

function makeGuard(config: GuardConfig, { http, credentialOf }: GuardMeans): Guard {
  try {
    const make = MAKERS[config.kind];
    const made = make === undefined ? serviceGuard(config, http, credentialOf(config)) : make(config, http);
    if (made !== undefined) return made;
  } catch (error) {
    return unusable(config, error instanceof Error ? error.message : 'it cannot be made');
  }
  return unusable(config, `guards of the kind \`${config.kind}\` are not built yet`);
}

function unusable(config: GuardConfig, message: string): Guard {
  return { config, isLocal: true, check: () => ({ result: 'error', message: `${config.name}: ${message}.` }) };
}
