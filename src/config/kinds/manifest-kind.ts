import type { z } from 'zod';
import type { Configuration } from '../configuration.ts';
import type { Manifest } from '../documents/manifests.ts';
import type { Environment } from '../environment.ts';
import type { Report } from '../fault.ts';
import type { Identities } from '../identities/identities.ts';
import type { ConfiguredKey } from '../packed-keys.ts';
import type { KnownModels } from '../rules/known-models.ts';
import type { ServerSettings, WrittenOverrides } from '../server/server-settings.ts';

/**
 * One kind of manifest: all that the configuration needs to know of it. A kind is a file of this folder and a line in
 * kinds.ts; nothing else names it. Every member is pure but for the report and the files that a manifest names.
 */
export interface ManifestKind<T = unknown, P extends ConfigurationPart = ConfigurationPart> {
  /** As it is written: `gateway-budget-config`. */
  readonly type: string;
  /**
   * Its shape, with words for every key (`.describe`). What is marked `restricting`, and everything in `sluice/*`,
   * refuses a misspelt key; elsewhere an unknown key is a warning.
   */
  readonly schema: z.ZodType<T>;
  /** What may not stand twice. */
  readonly uniqueKeys?: readonly UniqueKey[];
  /**
   * Keys whose change needs a restart, with the place of their value in the configuration: `data_dir: 'server.dataDir'`. Only of
   * a kind that adds to every configuration, so that each reload looks at them.
   */
  readonly restartKeys?: Readonly<Record<string, string>>;
  /** Its `name` and the names of its `integrations` are models that rules, keys and grants may name. */
  readonly listsModels?: boolean;
  /** What only its manifests together, other kinds or the disk can tell: goes into the report. */
  check?(written: readonly Written<T>[], context: KindContext): void;
  /** What its manifests add to the configuration; called also where there is none. Lists of several kinds are joined. */
  part?(written: readonly Written<T>[], context: KindContext): P;
}

/** A manifest without a fault, and what its schema made of it. */
export interface Written<T> {
  readonly manifest: Manifest;
  readonly value: T;
}

export interface UniqueKey {
  /** `name`; `rules[].id` is the id of each rule, `keys[]` each key itself. */
  readonly path: string;
  /** What stands twice, in words: `this account name`. */
  readonly what: string;
  /** Unique over all manifests whose kinds use the same word here; absent: within one manifest. */
  readonly over?: string;
  /** The part of the value that is compared; undefined: none. It is never shown. */
  compared?(value: unknown): string | undefined;
}

export type ConfigurationPart = Partial<Omit<Configuration, 'identities' | 'server' | 'keys'>> & {
  keys?: ConfiguredKey[];
  identities?: Partial<Identities>;
  server?: ServerSettings | undefined;
};

/** Everything else that was read, for kinds that refer to other kinds. */
export interface KindContext {
  readonly report: Report;
  readonly environment: Environment;
  /** The overrides that the command line gives; not checked yet. */
  readonly overrides: WrittenOverrides;
  /** The models that there are. */
  readonly models: KnownModels;
  /** The manifests of a kind that are right by their schema, in order. */
  written<T>(kind: ManifestKind<T>): readonly Written<T>[];
  /** The names of those that are not: a second fault at each reference to one would be noise. */
  faultyNames(kind: ManifestKind): readonly string[];
}

/** This function gives `check` and `part` their types, which follow from the schema. */
export function manifestKind<T, P extends ConfigurationPart = ConfigurationPart>(
  kind: ManifestKind<T, P>,
): ManifestKind<T, P> {
  return kind;
}
