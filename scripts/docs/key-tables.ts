import { type SchemaKey, schemaKeys } from '../../src/config/checks/schema-keys.ts';
import { sluiceServer } from '../../src/config/kinds/sluice-server.ts';
import { serverSchema } from '../../src/config/server/server-schema.ts';
import { MANIFEST_KINDS, SHARED_PARTS } from './manifest-kinds.ts';

const HEAD = '| key | value | default | what it does |\n|---|---|---|---|';

/** Every key of `sluice/server`; those of which a reload keeps the old value are marked. */
export function serverSettingsTable(): string {
  const restart = Object.keys(sluiceServer.restartKeys ?? {});
  const needsRestart = (path: string) => restart.some((key) => path === key || path.startsWith(`${key}.`));
  return [HEAD, ...schemaKeys(serverSchema).map((key) => row(key, needsRestart(key.path) ? ' *(restart)*' : ''))].join(
    '\n',
  );
}

/** One table for each kind of manifest, and one for each part that several kinds share. */
export function manifestKeyTables(): string {
  const links = new Map(SHARED_PARTS.map(({ name, schema }) => [schema, `[${name}](#${name.replaceAll(' ', '-')})`]));
  const kinds = alike(MANIFEST_KINDS.map(({ type, schema }) => ({ type, table: keyTable(schemaKeys(schema, links)) })));
  const parts = SHARED_PARTS.map(({ name, schema }) => {
    const others = new Map([...links].filter(([other]) => other !== schema));
    return `### ${name}\n\n${partText(schemaKeys(schema, others))}`;
  });
  return [...kinds, ...parts].join('\n\n');
}

/** Kinds that differ in their name alone have one table, under the name of the first; in it the others are named. */
function alike(kinds: readonly { type: string; table: string }[]): string[] {
  const nameless = ({ type, table }: { type: string; table: string }) =>
    table.replaceAll(type.slice(type.indexOf('/') + 1), '…');
  return [...Map.groupBy(kinds, nameless).values()].map(([first, ...others]) => {
    const { type, table } = first!;
    const same = others.map((other) => `\`${other.type}\``).join(', ');
    return `### ${type}\n\n${same === '' ? '' : `The same keys, each with its own name in \`type\`, have ${same}.\n\n`}${table}`;
  });
}

/** A part that is no map of one form is told in words first. */
function partText(keys: readonly SchemaKey[]): string {
  const itself = keys.filter(({ path }) => path === '').map(({ allowed }) => sentence(allowed));
  const inside = keys.filter(({ path }) => path !== '');
  return [...itself, ...(inside.length > 0 ? [keyTable(inside)] : [])].join('\n\n');
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}

function keyTable(keys: readonly SchemaKey[]): string {
  return [HEAD, ...keys.map((key) => row(key, ''))].join('\n');
}

function row(key: SchemaKey, mark: string): string {
  const { path, allowed, meaning = '' } = key;
  return `| \`${path}\` | ${allowed} | ${fallbackWords(key)} | ${meaning.replaceAll('|', '\\|')}${mark} |`;
}

/** What stands for an absent key: a default is shown where it is a plain value or a list of some. */
function fallbackWords({ required, fallback }: SchemaKey): string {
  if (required) return 'required';
  if (Array.isArray(fallback)) return fallback.length === 0 ? '' : `\`[${fallback.join(', ')}]\``;
  const isPlain = ['string', 'number', 'boolean'].includes(typeof fallback);
  return isPlain ? `\`${String(fallback)}\`` : '';
}
