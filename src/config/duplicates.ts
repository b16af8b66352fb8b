import { sha256 } from './api-keys-schema.ts';
import { type Fault, formatPosition, type PathSegment, type Position } from './fault.ts';
import { type Manifest, positionOf } from './manifests.ts';

interface Named {
  name: string;
  manifest: Manifest;
  path: PathSegment[];
}

/** Read from the data as it is written, so that a fault elsewhere in a manifest does not hide these. */
export function accountFaults(accounts: readonly Manifest[]): Fault[] {
  const names = accounts.flatMap((manifest) => nameAt(manifest, manifest.data, ['name']));
  const models = accounts.flatMap((manifest) => repeated(namesIn(manifest, 'integrations'), 'this integration name'));
  return [...repeated(names, 'this account name'), ...models];
}

export function keyFaults(keyLists: readonly Manifest[]): Fault[] {
  const names = keyLists.flatMap((manifest) => namesIn(manifest, 'keys'));
  const digests = keyLists.flatMap((manifest) =>
    listIn(manifest, 'keys').flatMap((item, index) => {
      const digest = isMap(item) ? digestOf(item) : undefined;
      return digest === undefined ? [] : [{ name: digest, manifest, path: ['keys', index] }];
    }),
  );
  return [...repeated(names, 'this key name'), ...repeated(digests, 'the same key')];
}

/** Only compared, never shown. */
function digestOf({ key, key_sha256: digest }: Record<string, unknown>): string | undefined {
  if (typeof digest === 'string') return digest.toLowerCase();
  return typeof key === 'string' && key !== '' ? sha256(key) : undefined;
}

/** Each name once: of users (by e-mail), teams, virtual accounts. */
export function identityFaults(manifests: readonly Manifest[]): Fault[] {
  const of = (type: string, key: string, what: string) =>
    repeated(
      manifests
        .filter((manifest) => manifest.type === type)
        .flatMap((manifest) => nameAt(manifest, manifest.data, [key]))
        .map((named) => ({ ...named, name: named.name.toLowerCase() })),
      what,
    );
  return [
    ...of('user', 'email', 'this user'),
    ...of('team', 'name', 'this team name'),
    ...of('virtual-account', 'name', 'this virtual account name'),
  ];
}

/** Accounts of channels and issuers: another kind may have the same name, since what refers to one says the kind. */
export function channelFaults(accounts: readonly Manifest[]): Fault[] {
  const names = accounts
    .flatMap((manifest) => nameAt(manifest, manifest.data, ['name']))
    .map((named) => ({ ...named, name: `${named.manifest.type} ${named.name}` }));
  const integrations = accounts.flatMap((manifest) =>
    repeated(namesIn(manifest, 'integrations'), 'this integration name'),
  );
  return [...repeated(names, 'this account name'), ...integrations];
}

/** What was spent is kept under the id of a rule or the name of a budget: each may stand once, over all manifests. */
export function ruleFaults(manifests: readonly Manifest[]): Fault[] {
  const ids = (manifest: Manifest) =>
    listIn(manifest, 'rules').flatMap((item, index) => nameAt(manifest, item, ['rules', index, 'id']));
  const lists = manifests
    .filter(({ type }) => type === 'gateway-rate-limiting-config' || type === 'gateway-metadata-config')
    .flatMap((manifest) => repeated(ids(manifest), 'this rule id'));
  const budgets = manifests.flatMap((manifest) => {
    if (manifest.type === 'gateway-budget-config') return ids(manifest);
    const single = manifest.type === 'tenant-budget-config' || manifest.type === 'team-budget-config';
    return single ? nameAt(manifest, manifest.data, ['name']) : [];
  });
  return [...lists, ...repeated(budgets, 'this name of a budget')];
}

/** The demo account has its name already; with `demo: auto` it steps aside. */
export function demoFaults(accounts: readonly Manifest[]): Fault[] {
  const names = accounts.flatMap((manifest) => nameAt(manifest, manifest.data, ['name']));
  return names
    .filter(({ name }) => name === 'demo')
    .map(({ manifest, path }) => ({
      code: 'duplicate',
      ...positionOf(manifest, path),
      message: 'this is the name of the demo account, which `demo: true` turns on',
    }));
}

export function serverFaults(servers: readonly Manifest[]): Fault[] {
  const all = servers.map((manifest) => ({ name: 'sluice/server', manifest, path: ['type'] }));
  return repeated(all, 'the kind `sluice/server`');
}

function repeated(all: readonly Named[], what: string): Fault[] {
  const first = new Map<string, Position>();
  const faults: Fault[] = [];
  for (const { name, manifest, path } of all) {
    const position = positionOf(manifest, path);
    const before = first.get(name);
    if (before === undefined) first.set(name, position);
    else
      faults.push({ code: 'duplicate', ...position, message: `${what} stands already in ${formatPosition(before)}` });
  }
  return faults;
}

function namesIn(manifest: Manifest, list: string): Named[] {
  return listIn(manifest, list).flatMap((item, index) => nameAt(manifest, item, [list, index, 'name']));
}

function listIn(manifest: Manifest, list: string): unknown[] {
  const items: unknown = isMap(manifest.data) ? manifest.data[list] : undefined;
  return Array.isArray(items) ? items : [];
}

function nameAt(manifest: Manifest, item: unknown, path: PathSegment[]): Named[] {
  const name = isMap(item) ? item[String(path.at(-1))] : undefined;
  return typeof name === 'string' ? [{ name, manifest, path }] : [];
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
