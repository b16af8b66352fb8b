import { z } from 'zod';
import { ownedBy } from '../account-schema.ts';
import { type Manifest, warn } from '../documents/manifests.ts';
import type { Report } from '../fault.ts';
import { metadataKey, metadataValue, subjectsKey, WHEN_NAMES } from '../rules/conditions.ts';
import { redactionPattern } from '../rules/redactions.ts';
import type { DataAccessRule, DataRoute, LoggingRule, TracingProject } from '../rules/request-log-rules.ts';
import { keyWithDefault, optionalKey, restricting, text, wholeNumber } from '../scalar-schema.ts';
import { subjectPattern } from '../subject-schema.ts';
import { manifestKind } from './manifest-kind.ts';

/** The kinds that say what the request log keeps, where, for how long, and who may see it. */

const name = optionalKey(text(256)).describe('Has no effect.');
const description = optionalKey(z.string().max(4096)).describe('For people; has no effect.');

// ── gateway-logging-config ────────────────────────────────────────────────

const loggingRule = z
  .object({
    id: text(256).describe('Unique in its manifest.'),
    when: restricting(optionalKey(z.object({ subjects: subjectsKey })), WHEN_NAMES).describe(
      'Whose requests; absent: all.',
    ),
    tracing_project_fqn: optionalKey(text(512)).describe(
      'The project that they belong to: the first rule that names one.',
    ),
    log_bodies: restricting(optionalKey(z.boolean())).describe(
      'Beyond the product: whether bodies are kept, whatever `logging_settings` say. Of all rules that match, `false` wins.',
    ),
    redact: restricting(optionalKey(z.array(redactionPattern).max(64, { error: 'at most 64 patterns' }))).describe(
      'Beyond the product: what is blacked out of the kept copy, beside `request_log.redact` and what other rules say.',
    ),
  })
  .transform(
    ({ id, when, tracing_project_fqn: project, log_bodies: bodies, redact }): LoggingRule => ({
      id,
      ...(when?.subjects?.length && { subjects: when.subjects }),
      project,
      bodies,
      redact: redact ?? [],
    }),
  );

export const gatewayLoggingConfig = manifestKind({
  type: 'gateway-logging-config',
  schema: restricting(
    z.object({
      type: z.literal('gateway-logging-config'),
      name,
      rules: keyWithDefault(z.array(loggingRule), []).describe('In order.'),
    }),
  ),
  uniqueKeys: [{ path: 'rules[].id', what: 'this rule id' }],
  part: (written): { loggingRules: LoggingRule[] } => ({ loggingRules: written.flatMap(({ value }) => value.rules) }),
});

// ── gateway-data-routing-config, tracing-project ──────────────────────────

const storage = z
  .discriminatedUnion('type', [
    z.object({
      type: z.literal('controlplane-managed').describe('The store of the gateway.'),
      region: optionalKey(z.enum(['us', 'australia', 'india'])).describe('Has no effect: the store is where it is.'),
    }),
    z.object({
      type: z.literal('customer-managed').describe('Not supported: of such exchanges no bodies are kept.'),
      storage_integration_fqn: text(512).describe('Names a store that this gateway cannot write to.'),
    }),
  ])
  .describe('Where bodies are kept.');

const retentionDays = (least: number) =>
  optionalKey(wholeNumber(least, 36_500)).describe('How long bodies are kept; absent: `request_log.retention_days`.');

const condition = z.discriminatedUnion('field', [
  z.object({
    field: z.literal('metadata').describe('A key of the metadata of the request.'),
    key: metadataKey.describe('Of the metadata.'),
    operator: z.literal('IN').describe('One of the values.'),
    value: z.array(metadataValue).max(1024, { error: 'at most 1024 values' }).describe('One of these.'),
  }),
  z.object({
    field: z.literal('created_by').describe('Who asked.'),
    operator: z.literal('IN').describe('One of the values.'),
    value: z
      .array(text(320))
      .max(1024, { error: 'at most 1024 values' })
      .describe('E-mail addresses, names of virtual accounts, or `user:…`.'),
  }),
]);

type WrittenCondition = z.output<typeof condition>;

function conditionOf(written: WrittenCondition): DataRoute['when'][number] {
  return { key: written.field === 'metadata' ? written.key : undefined, values: written.value };
}

const destination = z.object({
  name: text(256).describe('Unique in its manifest.'),
  enabled: restricting(z.boolean()).describe('Whether it counts.'),
  description,
  when: restricting(z.array(condition)).describe('All must hold.'),
  storage,
  traces_retention_period_days: retentionDays(1),
});

export const gatewayDataRoutingConfig = manifestKind({
  type: 'gateway-data-routing-config',
  schema: restricting(
    z.object({
      type: z.literal('gateway-data-routing-config'),
      name,
      destinations: keyWithDefault(z.array(destination), []).describe('The first whose conditions hold.'),
      default: z.object({ storage, traces_retention_period_days: retentionDays(1) }).describe('For all others.'),
    }),
  ),
  uniqueKeys: [
    { path: 'type', what: 'the kind `gateway-data-routing-config`', over: 'gateway-data-routing-config' },
    { path: 'destinations[].name', what: 'this destination name' },
  ],
  check(written, { report }) {
    for (const { manifest, value } of written) {
      for (const [at, each] of value.destinations.entries())
        checkStorage(each.storage, ['destinations', at], manifest, report);
      checkStorage(value.default.storage, ['default'], manifest, report);
    }
  },
  part: ([first]): { dataRoutes: DataRoute[] } => ({
    dataRoutes:
      first === undefined
        ? []
        : [...first.value.destinations.filter(({ enabled }) => enabled), { ...first.value.default, when: [] }].map(
            ({ storage: { type }, when, traces_retention_period_days: days }) => ({
              when: when.map(conditionOf),
              isOurs: type === 'controlplane-managed',
              retentionDays: days,
            }),
          ),
  }),
});

function checkStorage(
  { type }: z.output<typeof storage>,
  path: readonly (string | number)[],
  manifest: Manifest,
  report: Report,
): void {
  if (type === 'controlplane-managed') return;
  const message = 'this gateway cannot write to a store of another account yet: of such exchanges no bodies are kept';
  warn(report, manifest, [...path, 'storage', 'type'], { message });
}

const collaborator = z.object({
  subject: subjectPattern.describe('Who: `user:…`, `team:…`, `virtualaccount:…`.'),
  role_id: text(256).describe('Has no effect.'),
});

export const tracingProject = manifestKind({
  type: 'tracing-project',
  schema: restricting(
    z.object({
      type: z.literal('tracing-project'),
      name: text(256).describe('The last part of `tracing_project_fqn`.'),
      description,
      storage,
      collaborators: keyWithDefault(z.array(collaborator), []).describe(
        'Has no effect yet: who may see exchanges is said by `gateway-data-access-config`.',
      ),
      traces_retention_duration_days: retentionDays(7),
      ownedBy,
    }),
  ),
  uniqueKeys: [{ path: 'name', what: 'this project name', over: 'tracing projects' }],
  check(written, { report }) {
    for (const { manifest, value } of written) checkStorage(value.storage, [], manifest, report);
  },
  part: (written): { tracingProjects: TracingProject[] } => ({
    tracingProjects: written.map(({ value }) => ({
      name: value.name,
      isOurs: value.storage.type === 'controlplane-managed',
      retentionDays: value.traces_retention_duration_days,
    })),
  }),
});

// ── gateway-data-access-config ────────────────────────────────────────────

const SCOPES = { own_data: 'own', team_data: 'team', all_data: 'all' } as const;

const accessRule = z
  .object({
    id: text(256).describe('Unique in its manifest.'),
    description,
    enabled: restricting(optionalKey(z.boolean())).describe('Absent: it counts.'),
    subjects: restricting(z.array(subjectPattern)).describe('Who may see: `user:…`, `team:…`; roles are nobody here.'),
    data_types: restricting(z.array(z.enum(['traces', 'metrics']))).describe('`traces` are exchanges.'),
    scope: restricting(z.enum(['own_data', 'team_data', 'all_data'])).describe(
      'Their own, those of their teams, or all.',
    ),
    filters: restricting(optionalKey(z.array(condition))).describe('Of `all_data`: all must hold.'),
  })
  .transform(({ enabled, subjects, data_types: dataKinds, scope, filters }): DataAccessRule & { enabled: boolean } => ({
    enabled: enabled ?? true,
    subjects,
    dataKinds,
    scope: SCOPES[scope],
    filters: (filters ?? []).map(conditionOf),
  }));

export const gatewayDataAccessConfig = manifestKind({
  type: 'gateway-data-access-config',
  schema: restricting(
    z.object({
      type: z.literal('gateway-data-access-config'),
      name,
      rules: keyWithDefault(z.array(accessRule), []).describe('What any of them opens is seen.'),
    }),
  ),
  uniqueKeys: [{ path: 'rules[].id', what: 'this rule id' }],
  part: (written): { dataAccess: DataAccessRule[] } => ({
    dataAccess: written.flatMap(({ value }) =>
      value.rules.filter(({ enabled }) => enabled).map(({ enabled: _enabled, ...rule }) => rule),
    ),
  }),
});
