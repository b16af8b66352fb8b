import { parseManifest } from './checks/schema-faults.ts';
import { duplicateFaults } from './checks/unique-keys.ts';
import type { Configuration } from './configuration.ts';
import { type Manifest, parsedFrom, positionOf, readManifests } from './documents/manifests.ts';
import type { Environment } from './environment.ts';
import type { Fault, PathSegment, Position, Report } from './fault.ts';
import { type Given, KINDS, kindsOf, NOTHING_GIVEN } from './kinds/kinds.ts';
import { KINDS_TO_COME } from './kinds/kinds-to-come.ts';
import type { ConfigurationPart, KindContext, ManifestKind, Written } from './kinds/manifest-kind.ts';
import { type AccountKind, modelAccount } from './kinds/model-account.ts';
import { sluiceServer } from './kinds/sluice-server.ts';
import { packKeys } from './packed-keys.ts';
import { KnownModels } from './rules/known-models.ts';
import type { WrittenOverrides } from './server/server-settings.ts';

export type { AccountKind };

/** An account that is made where nothing is configured and this variable is set. */
export interface WellKnownAccount {
  readonly variable: string;
  /** They make it as well, where that one is not set. */
  readonly otherVariables?: readonly string[];
  readonly account: string;
  /** Undefined: none is made of what is set. */
  manifest(value: string, environment?: Environment): unknown;
}

export interface LoadOptions {
  /** YAML files and folders. None at all: accounts are made for the well-known variables that are set. */
  paths: readonly string[];
  environment: Environment;
  kinds: readonly AccountKind[];
  wellKnown: readonly WellKnownAccount[];
  overrides?: WrittenOverrides;
  /** In the place of what stands in these files. */
  texts?: ReadonlyMap<string, string>;
}

/** A key whose change needs a restart. */
export interface RestartKey extends Position {
  /** As it is written. */
  readonly path: string;
  /** The place of its value in the configuration. */
  readonly value: string;
}

/** What a reload is made by; it may come from another thread. `files` are all that were read and may be watched. */
export interface LoadedData {
  configuration: Configuration;
  warnings: Fault[];
  files: string[];
  /** Manifests that were found; none can be right at a start and is hardly ever meant by a reload. */
  manifests: number;
  restartKeys: RestartKey[];
}

export interface Loaded extends LoadedData {
  /** Where a key of the manifest of an account stands. */
  locateAccount(name: string, path: readonly PathSegment[]): Position;
}

/** All faults there are, not only the first; `faults` is never empty. */
export interface Refused {
  faults: Fault[];
  warnings: Fault[];
  files: string[];
}

/**
 * From paths to a whole, valid configuration, or everything that is wrong with it. Reads files; starts nothing.
 * Files → documents → interpolation → kinds → checks over all → Configuration.
 */
export function loadConfiguration(options: LoadOptions): Loaded | Refused {
  const { paths, environment, overrides = {}, texts = new Map() } = options;
  const report: Report = { faults: [], warnings: [], files: [] };
  const supported = new Set([...KINDS, ...options.kinds].map(({ type }) => type));
  const found = readManifests(paths, { supported, toCome: KINDS_TO_COME }, environment, report, texts);
  const manifests = [...found, ...notWritten(found, options)];

  const types = new Set(manifests.map(({ type }) => type));
  const ownKinds = kindsOf(types);
  const accountKinds = options.kinds.filter(({ type }) => types.has(type)).map(modelAccount);
  const kinds: readonly ManifestKind[] = [...ownKinds, ...accountKinds];
  const byType = new Map(kinds.map((kind) => [kind.type, kind]));
  const read = new ReadManifests(manifests, byType, report);
  const uniqueKeys = new Map(kinds.map((kind) => [kind.type, kind.uniqueKeys]));
  report.faults.push(...duplicateFaults(manifests, uniqueKeys), ...demoFaults(read));

  const { models } = read;
  const context: KindContext = {
    report,
    environment,
    overrides,
    models,
    written: (kind) => read.written(kind),
    faultyNames: (kind) => read.faultyNames(kind),
  };
  for (const kind of kinds) kind.check?.(read.written(kind), context);
  // Every kind of the list gives what its type says, so that together they give what `Given` says.
  const parts = ownKinds.map((kind) => kind.part?.(read.written(kind), context) ?? {});
  const given = joined([NOTHING_GIVEN, ...parts]) as Given;

  const { server, keys, ...others } = given;
  const { faults, warnings, files } = inOrder(report);
  if (server === undefined || faults.length > 0) return { faults, warnings, files };
  const accounts = manifests.flatMap((manifest) => accountKinds.flatMap((kind) => read.valueOf(manifest, kind)));
  const configuration: Configuration = { server, keys: packKeys(keys), accounts, ...others };
  const placeIn = (manifest: Manifest | undefined, path: readonly PathSegment[]): Position =>
    manifest?.document.locate(path) ?? { file: 'configuration' };
  return {
    configuration,
    warnings,
    files,
    manifests: found.length,
    restartKeys: kinds.flatMap(({ type, restartKeys = {} }) => {
      const manifest = manifests.find((each) => each.type === type);
      return Object.entries(restartKeys).map(([path, value]) => ({
        ...placeIn(manifest, path.split('.')),
        path,
        value,
      }));
    }),
    locateAccount: (name, path) =>
      placeIn(
        read.listing.find((manifest) => nameOf(manifest) === name),
        path,
      ),
  };
}

/** What stands in no file: the server with its defaults, and accounts of variables where nothing is configured. */
function notWritten(found: readonly Manifest[], { paths, wellKnown, environment }: LoadOptions): Manifest[] {
  const made: Manifest[] = [];
  const { type } = sluiceServer;
  if (!found.some((manifest) => manifest.type === type)) {
    made.push({ ...parsedFrom({ type }, 'command line'), type, folder: '.' });
  }
  if (paths.length > 0) return made;
  for (const { variable: first, otherVariables = [], manifest } of wellKnown) {
    const variable = [first, ...otherVariables].find((name) => environment[name]);
    const value = variable && environment[variable];
    const data = value && manifest(value, environment);
    if (!data) continue;
    const kind = typeof data === 'object' && data !== null && 'type' in data ? String(data.type) : '';
    made.push({ ...parsedFrom(data, `environment variable ${variable}`), type: kind, folder: '.' });
  }
  return made;
}

/** Every manifest in the form that its schema gives it. */
class ReadManifests {
  readonly models: KnownModels;
  readonly listing: readonly Manifest[];
  readonly #all: readonly Manifest[];
  readonly #values = new Map<Manifest, unknown>();

  constructor(manifests: readonly Manifest[], kinds: ReadonlyMap<string, ManifestKind>, report: Report) {
    this.#all = manifests;
    for (const manifest of manifests) {
      const kind = kinds.get(manifest.type);
      const parsed = kind && parseManifest(kind, manifest, report);
      if (parsed) this.#values.set(manifest, parsed.value);
    }
    this.listing = manifests.filter(({ type }) => kinds.get(type)?.listsModels);
    this.models = new KnownModels(this.listing, this.demo !== false);
  }

  /** Whether the demo account is there. */
  get demo(): boolean | 'auto' | undefined {
    return this.written(sluiceServer)[0]?.value.demo;
  }

  written<T>(kind: ManifestKind<T>): Written<T>[] {
    return this.#all.flatMap((manifest) => this.valueOf(manifest, kind).map((value) => ({ manifest, value })));
  }

  /** None, or the one value that the kind's schema made of it. */
  valueOf<T>(manifest: Manifest, kind: ManifestKind<T>): T[] {
    return manifest.type === kind.type && this.#values.has(manifest) ? [this.#values.get(manifest) as T] : [];
  }

  faultyNames({ type }: ManifestKind): string[] {
    return this.#all
      .filter((manifest) => manifest.type === type && !this.#values.has(manifest))
      .map((manifest) => nameOf(manifest) ?? '');
  }
}

function nameOf({ data }: Manifest): string | undefined {
  const name: unknown = typeof data === 'object' && data !== null ? Reflect.get(data, 'name') : undefined;
  return typeof name === 'string' ? name : undefined;
}

/** The demo account has its name already; with `demo: auto` it steps aside. */
function demoFaults({ demo, listing }: ReadManifests): Fault[] {
  if (demo !== true) return [];
  const message = 'this is the name of the demo account, which `demo: true` turns on';
  return listing
    .filter((manifest) => nameOf(manifest) === 'demo')
    .map((manifest) => ({ code: 'duplicate', ...positionOf(manifest, ['name']), message }));
}

/** Lists of several kinds one after another, maps key by key. */
function joined(parts: readonly ConfigurationPart[]): object {
  const all: Record<string, unknown> = {};
  for (const part of parts) {
    for (const [key, value] of Object.entries(part)) {
      const before = all[key];
      if (Array.isArray(before) && Array.isArray(value)) all[key] = [...before, ...value];
      else if (key === 'identities') all[key] = joined([before ?? {}, value]);
      else all[key] = value;
    }
  }
  return all;
}

/** By file and line, as a person reads. */
function inOrder(report: Report): Report {
  const files = [...new Set(report.files)];
  const order = new Map(report.files.map((file, index) => [file, index]));
  const compare = (a: Fault, b: Fault) =>
    (order.get(a.file) ?? -1) - (order.get(b.file) ?? -1) ||
    (a.line ?? 0) - (b.line ?? 0) ||
    (a.column ?? 0) - (b.column ?? 0);
  return { faults: report.faults.sort(compare), warnings: report.warnings.sort(compare), files };
}
