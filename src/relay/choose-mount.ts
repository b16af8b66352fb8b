import type { Dialect, DialectTranslation, PeekedRequest } from '../dialects/dialect.ts';
import type { Mount, Mounts, Target, Wire } from '../providers/provider.ts';

/** The parts of a dialect that decide which wire is spoken for it. */
export type Spoken = { readonly name: string } & Pick<Dialect, 'operation'> & {
    readonly translation?: Pick<DialectTranslation, 'to'>;
  };

/** The form of a wire's bytes, wrapped or not: a dialect of that name passes. */
export function formOf({ name, envelope }: Pick<Wire, 'name' | 'envelope'>): string {
  return envelope === undefined ? name : envelope.form;
}

/** Whether a request passes in the form of its client, but for a few edits. */
export function passesRequest(wire: Wire, { name }: Pick<Dialect, 'name'>, peeked: PeekedRequest): boolean {
  return formOf(wire) === name && !(wire.textDocuments && peeked.objectDocuments);
}

/** The form of a wire's bodies and streams as they are sent, where nothing has to be wrapped or unpacked. */
export function plainFormOf(wire: Pick<Wire, 'name' | 'envelope'>): string {
  const { envelope } = wire;
  return envelope?.requests === undefined && envelope?.unpack === undefined ? formOf(wire) : wire.name;
}

const chosen = new WeakMap<Mounts, Map<string, Mount | undefined>>();

/**
 * The mount through which a target answers a dialect; undefined: it cannot. One that speaks the dialect itself wins,
 * since its bytes pass; else the first that can be translated to. Remembered by dialect for all models of an account.
 */
export function mountFor({ mounts }: Pick<Target, 'mounts'>, dialect: Spoken): Mount | undefined {
  let known = chosen.get(mounts);
  if (known === undefined) {
    known = new Map();
    chosen.set(mounts, known);
  }
  let mount = known.get(dialect.name);
  if (mount === undefined && !known.has(dialect.name)) {
    mount = chooseMount(mounts, dialect);
    known.set(dialect.name, mount);
  }
  return mount;
}

function chooseMount(mounts: Mounts, dialect: Spoken): Mount | undefined {
  const own = mounts.get(dialect.operation)?.find(({ wire }) => formOf(wire) === dialect.name);
  if (own) return own;
  return dialect.translation?.to
    .flatMap((operation) => mounts.get(operation) ?? [])
    .find(({ wire }) => wire.translation !== undefined);
}
