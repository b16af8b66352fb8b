import type { z } from 'zod';
import { checkAccess } from './access-checks.ts';
import { apiKeysSchema, configuredKeys } from './api-keys-schema.ts';
import { CHANNEL_KINDS, readChannels } from './channels/read-channels.ts';
import type { AccountManifest, Configuration, ConfiguredKey, ServerSettings } from './configuration.ts';
import {
  accountFaults,
  channelFaults,
  demoFaults,
  identityFaults,
  keyFaults,
  ruleFaults,
  serverFaults,
} from './duplicates.ts';
import type { Environment } from './environment.ts';
import type { Fault } from './fault.ts';
import { readIdentities } from './identities/read-identities.ts';
import { KnownModels } from './known-models.ts';
import { readBudgets, readRateLimits } from './limits/read-limits.ts';
import { type Manifest, parsedFrom, parseKind, parseManifest, type Report, readManifests } from './manifests.ts';
import { metadataRulesSchema } from './metadata-rules.ts';
import { checkRules } from './rule-checks.ts';
import { parseWith } from './schema-faults.ts';
import { checkServer, type Locate } from './server-checks.ts';
import { serverSchema } from './server-schema.ts';
import { overridesSchema, serverSettings, type WrittenOverrides } from './server-settings.ts';

/** All that no plug brings. */
const OWN_KINDS: readonly string[] = [
  'sluice/server',
  'sluice/api-keys',
  'gateway-rate-limiting-config',
  'gateway-budget-config',
  'tenant-budget-config',
  'team-budget-config',
  'gateway-metadata-config',
  'user',
  'team',
  'virtual-account',
  'role',
  'role-binding',
  'sluice/identity-provider',
  ...CHANNEL_KINDS,
];

/** A kind of provider account, handed in by its plug: config itself knows no vendor. */
export interface AccountKind {
  readonly type: string;
  readonly schema: z.ZodType<AccountManifest>;
}

/** An account that is made where nothing is configured and this variable is set. */
export interface WellKnownAccount {
  readonly variable: string;
  readonly account: string;
  manifest(value: string): unknown;
}

export interface LoadOptions {
  /** YAML files and folders. None at all: accounts are made for the well-known variables that are set. */
  paths: readonly string[];
  environment: Environment;
  kinds: readonly AccountKind[];
  wellKnown: readonly WellKnownAccount[];
  overrides?: WrittenOverrides;
}

/** `files` are all that were read and may be watched. `locate` finds a key of `sluice/server`. */
export interface Loaded {
  configuration: Configuration;
  warnings: Fault[];
  files: string[];
  /** Manifests that were found; none can be right at a start and is hardly ever meant by a reload. */
  manifests: number;
  locate: Locate;
}

/** All faults there are, not only the first; `faults` is never empty. */
export interface Refused {
  faults: Fault[];
  warnings: Fault[];
  files: string[];
}

/** From paths to a whole, valid configuration, or everything that is wrong with it. Reads files; starts nothing. */
export function loadConfiguration(options: LoadOptions): Loaded | Refused {
  const report: Report = { faults: [], warnings: [], files: [] };
  const supported = new Set([...OWN_KINDS, ...options.kinds.map((kind) => kind.type)]);
  const manifests = readManifests(options.paths, supported, options.environment, report);
  const { server, locate } = readServer(manifests, options.overrides ?? {}, report);
  const keys = readKeys(manifests, report);
  const accounts = readAccounts(manifests, options, report);
  const read = readChannels(manifests, report);
  const { identities, grants } = readIdentities(manifests, read, report);
  const metadataRules = parseKind('gateway-metadata-config', metadataRulesSchema, manifests, report);
  const rateLimits = readRateLimits(manifests, report);
  const budgets = readBudgets(manifests, read.channels, report);
  report.faults.push(...identityFaults(manifests), ...ruleFaults(manifests));
  report.faults.push(...channelFaults(manifests.filter(({ type }) => CHANNEL_KINDS.includes(type))));
  const modelAccounts = manifests.filter(({ type }) => options.kinds.some((kind) => kind.type === type));
  if (server?.demo === true) report.faults.push(...demoFaults(modelAccounts));
  checkRules(rateLimits, budgets, grants, new KnownModels(modelAccounts, server?.demo !== false), report);

  const order = new Map(report.files.map((file, index) => [file, index]));
  const inOrder = (a: Fault, b: Fault) =>
    (order.get(a.file) ?? -1) - (order.get(b.file) ?? -1) ||
    (a.line ?? 0) - (b.line ?? 0) ||
    (a.column ?? 0) - (b.column ?? 0);
  const warnings = report.warnings.sort(inOrder);
  const files = [...new Set(report.files)];
  if (server === undefined || report.faults.length > 0) {
    return { faults: report.faults.sort(inOrder), warnings, files };
  }
  const configuration: Configuration = {
    server,
    keys,
    accounts,
    identities,
    metadataRules: metadataRules.flatMap(({ value }) => value.rules),
    rateLimits: rateLimits.map((list) => list.map(({ rule }) => rule)),
    budgets: budgets.map(({ rule }) => rule),
  };
  return { configuration, warnings, files, manifests: manifests.length, locate };
}

function readServer(
  manifests: readonly Manifest[],
  overrides: WrittenOverrides,
  report: Report,
): { server: ServerSettings | undefined; locate: Locate } {
  const servers = manifests.filter((manifest) => manifest.type === 'sluice/server');
  report.faults.push(...serverFaults(servers));
  const fromCommandLine = parseWith(overridesSchema, parsedFrom(overrides, 'command line'));
  const checked = 'faults' in fromCommandLine ? {} : fromCommandLine.value;
  if ('faults' in fromCommandLine) report.faults.push(...fromCommandLine.faults);

  const chosen = servers[0] ?? parsedFrom({ type: 'sluice/server' }, 'command line');
  const folder = servers[0]?.folder ?? '.';
  const locate: Locate = (path) => chosen.document.locate(path);
  const [written] = [chosen, ...servers.slice(1)].map((manifest) => parseManifest(serverSchema, manifest, report));
  if (written === undefined) return { server: undefined, locate };
  const server = serverSettings(written, folder, checked);
  const { faults, warnings } = checkServer(server, locate);
  report.faults.push(...faults);
  report.warnings.push(...warnings);
  return { server, locate };
}

function readKeys(manifests: readonly Manifest[], report: Report): ConfiguredKey[] {
  const lists = manifests.filter((manifest) => manifest.type === 'sluice/api-keys');
  report.faults.push(...keyFaults(lists));
  return lists.flatMap((manifest) => {
    const parsed = parseManifest(apiKeysSchema, manifest, report);
    return parsed === undefined ? [] : configuredKeys(parsed);
  });
}

function readAccounts(manifests: readonly Manifest[], options: LoadOptions, report: Report): AccountManifest[] {
  const schemas = new Map(options.kinds.map((kind) => [kind.type, kind.schema]));
  const written = manifests.filter((manifest) => schemas.has(manifest.type));
  report.faults.push(...accountFaults(written));
  const made = options.paths.length > 0 ? [] : fromEnvironment(options);
  return [...written, ...made].flatMap((manifest) => {
    const schema = schemas.get(manifest.type);
    const account = schema === undefined ? undefined : parseManifest(schema, manifest, report);
    if (account === undefined) return [];
    checkAccess(manifest, report);
    return [account];
  });
}

function fromEnvironment({ wellKnown, environment }: LoadOptions): Manifest[] {
  return wellKnown.flatMap((entry) => {
    const value = environment[entry.variable];
    if (value === undefined || value === '') return [];
    const data = entry.manifest(value);
    const type = typeof data === 'object' && data !== null && 'type' in data ? String(data.type) : '';
    return [{ ...parsedFrom(data, `environment variable ${entry.variable}`), type, folder: '.' }];
  });
}
