import { z } from 'zod';
import { nearNames } from '../../core/near-names.ts';
import { accountName, collaborators, ownedBy } from '../account-schema.ts';
import { warn } from '../documents/manifests.ts';
import { didYouMean, type PathSegment } from '../fault.ts';
import { GUARDS, type GuardKind, type GuardSchema } from '../guardrails/guard-schemas.ts';
import type { GuardConfig } from '../guardrails/guardrails.ts';
import { REGEX_PRESETS } from '../guardrails/regex-preset-names.ts';
import { linearPattern } from '../rules/linear-pattern.ts';
import { keyWithDefault, optionalKey, restricting, wholeNumber } from '../scalar-schema.ts';
import { manifestKind } from './manifest-kind.ts';

/** `provider-account/guardrail-config-group`: guards, which rules and requests name as `<group>/<name>`. */

const PREFIX = 'integration/guardrail-config/';
const KIND_NAMES = Object.keys(GUARDS) as GuardKind[];

/** Keys of `config` stood beside it in an earlier revision. */
function olderKeys({ config }: GuardSchema): Record<string, z.ZodType> {
  if (!(config instanceof z.ZodObject)) return {};
  const older = Object.entries(config.shape).filter(([key]) => key !== 'target' && key !== 'config');
  return Object.fromEntries(
    older.map(([key]) => [key, optionalKey(z.unknown()).describe('Older place; it belongs into `config`.')]),
  );
}

const remember = z.object({
  ttl_ms: wholeNumber(1, 86_400_000).describe('How long an answer holds.'),
  max_answers: keyWithDefault(wholeNumber(1, 100_000), 1_000).describe(
    'How many each relay thread keeps; the oldest make room.',
  ),
});

function integration(kind: GuardKind) {
  const schema: GuardSchema = GUARDS[kind];
  const { abilities, asksOthers, config, auth, authOptional, target } = schema;
  const operations = abilities === 'validate' ? (['validate'] as const) : (['validate', 'mutate'] as const);
  const authKey = auth === undefined ? optionalKey(z.unknown()) : authOptional ? optionalKey(auth) : auth;
  return z.object({
    ...olderKeys(schema),
    type: z.literal(`${PREFIX}${kind}`),
    name: accountName.describe('Stands behind the group: `group/name`.'),
    description: optionalKey(z.string().max(4096)).describe('For people.'),
    operation: keyWithDefault(z.enum(operations), 'validate').describe(
      'Whether it only looks, or changes what it finds.',
    ),
    priority: optionalKey(z.int()).describe('Of those that change: the lower goes first.'),
    enforcing_strategy: keyWithDefault(z.enum(['enforce', 'enforce_but_ignore_on_error', 'audit']), 'enforce').describe(
      'What a failure or an error does: refuse, refuse for a failure alone, or be recorded.',
    ),
    auth_data: authKey.describe('What it is asked with.'),
    // In an earlier revision the keys of this kind stood beside `config`, which held whatever was sent along.
    config: optionalKey(target ? z.union([config, z.record(z.string(), z.unknown())]) : config).describe(
      'What it looks for, and where.',
    ),
    ...(asksOthers && {
      remember: optionalKey(remember).describe(
        'Answers are kept, and what is asked again word for word is not asked again. Absent: none is kept.',
      ),
    }),
    ...(target && {
      target: optionalKey(z.enum(['request', 'response'])).describe('What it looks at; absent: both.'),
    }),
  });
}

const [first, ...others] = KIND_NAMES.map(integration);

const schema = restricting(
  z
    .object({
      type: z.literal('provider-account/guardrail-config-group'),
      name: accountName.describe('Stands before the `/` in the names of its guards.'),
      collaborators: collaborators.describe('Who may name its guards in a request; absent: everybody.'),
      ownedBy,
      integrations: z.array(z.discriminatedUnion('type', [first!, ...others])).describe('The guards.'),
    })
    .transform((written, context): GuardConfig[] =>
      written.integrations.map((each, index) => {
        const kind = each.type.slice(PREFIX.length) as GuardKind;
        const subjects = written.collaborators?.map(({ subject }) => subject);
        const config = configOf(kind, each, index, context);
        const auth = objectOf(each.auth_data);
        const target = sideOf(each.target) ?? sideOf(config['target']);
        return {
          name: `${written.name}/${each.name}`,
          kind,
          operation: each.operation,
          priority: each.priority ?? 0,
          strategy: each.enforcing_strategy,
          config,
          ...(auth !== undefined && { auth }),
          ...(target !== undefined && { target }),
          ...rememberOf(each.remember),
          ...(subjects?.length && { subjects }),
        };
      }),
    ),
);

function objectOf(value: unknown): GuardConfig['config'] | undefined {
  return typeof value === 'object' && value !== null ? { ...value } : undefined;
}

function rememberOf(written: unknown): Pick<GuardConfig, 'remember'> {
  const read = remember.safeParse(written);
  if (!read.success) return {};
  const { ttl_ms: ttlMs, max_answers: maxAnswers } = read.data;
  return { remember: { ttlMs, maxAnswers } };
}

function sideOf(target: unknown): GuardConfig['target'] {
  return target === 'request' || target === 'response' ? target : undefined;
}

/** The config of an integration. In the older form there is none: its keys stand beside it, or none is needed. */
function configOf(
  kind: GuardKind,
  written: { readonly config?: unknown },
  index: number,
  context: z.core.ParsePayload,
): GuardConfig['config'] {
  const { config, target }: GuardSchema = GUARDS[kind];
  const own = objectOf(written.config);
  if (own !== undefined && target === undefined) return own;
  const isOlder = own === undefined || 'url' in written;
  const parsed = config.safeParse(isOlder ? written : own);
  if (parsed.success) return objectOf(parsed.data) ?? {};
  for (const { message, path } of parsed.error?.issues ?? []) {
    context.issues.push({
      code: 'custom',
      message,
      path: ['integrations', index, 'config', ...path],
      input: written,
    });
  }
  return {};
}

export const guardrailConfigGroup = manifestKind({
  type: 'provider-account/guardrail-config-group',
  schema,
  uniqueKeys: [
    { path: 'name', what: 'this name of a group of guards', over: 'guardrail groups' },
    { path: 'integrations[].name', what: 'this name of a guard' },
  ],
  check(written, { report }) {
    for (const { manifest, value } of written) {
      for (const [index, guard] of value.entries()) {
        for (const { path, ...words } of guardFaults(guard)) {
          warn(report, manifest, ['integrations', index, ...path], words);
        }
      }
    }
  },
  part: (written): { guards: GuardConfig[] } => ({ guards: written.flatMap(({ value }) => value) }),
});

interface GuardFault {
  readonly path: PathSegment[];
  readonly message: string;
  readonly found?: string;
  readonly remedy?: string;
}

/** Why a guard would be an error whenever it is asked, or does less than is written. */
function guardFaults({ kind, config, operation }: GuardConfig): GuardFault[] {
  if (kind === 'regex') return regexFaults(config);
  if (kind === 'tfy-metadata') return metadataFaults(config);
  if (NOT_BUILT.has(kind)) {
    return [{ path: ['type'], message: `guards of the kind \`${kind}\` are not built${UNUSABLE}` }];
  }
  if (kind === 'tfy-pii' && config['pseudonyms'] === true && operation !== 'mutate') {
    return [{ path: ['config'], message: 'pseudonyms are made by `operation: mutate` alone' }];
  }
  return [];
}

/** The makers of these publish no bodies of their API, or the reference product dropped them. */
const NOT_BUILT: ReadonlySet<GuardKind> = new Set(['trojai', 'pangea', 'promptfoo']);
const UNUSABLE = ': the guard is an error whenever it is asked';

function regexFaults(config: GuardConfig['config']): GuardFault[] {
  const { preset_patterns: presets, custom_patterns: patterns } = config as z.output<typeof GUARDS.regex.config>;
  const known: ReadonlySet<string> = new Set(REGEX_PRESETS);
  const unknown = (presets?.presets ?? []).flatMap((name, at): GuardFault[] => {
    if (known.has(name)) return [];
    const remedy = didYouMean(nearNames(name, REGEX_PRESETS));
    const path = ['config', 'preset_patterns', 'presets', at];
    return [{ path, message: `there is no such preset${UNUSABLE}`, found: `\`${name}\``, ...(remedy && { remedy }) }];
  });
  const broken = (patterns ?? []).flatMap(({ pattern }, at) =>
    patternFaults(pattern, ['config', 'custom_patterns', at, 'pattern']),
  );
  return [...unknown, ...broken];
}

function metadataFaults(config: GuardConfig['config']): GuardFault[] {
  const { keys } = config as z.output<(typeof GUARDS)['tfy-metadata']['config']>;
  return Object.entries(keys).flatMap(([key, { value }]) =>
    value?.constraint === 'regex' ? patternFaults(value.regex, ['config', 'keys', key, 'value', 'regex']) : [],
  );
}

function patternFaults(pattern: string, path: PathSegment[]): GuardFault[] {
  try {
    linearPattern(pattern);
    return [];
  } catch (error) {
    const fault = error instanceof Error ? error.message : String(error);
    const remedy = 'Guards take patterns of RE2, which has no look-around and no back-references';
    return [{ path, message: `no pattern of RE2 (${fault})${UNUSABLE}`, remedy }];
  }
}
