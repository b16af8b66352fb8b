import { constants } from 'node:fs';
import { access, open, readFile, realpath, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { manifestFiles } from '../config/documents/manifest-files.ts';
import { yamlDocuments } from '../config/documents/yaml-documents.ts';
import type { Fault } from '../config/fault.ts';
import type { Loaded, Refused } from '../config/load.ts';
import { applyReload } from '../config/reload.ts';
import { shownText, versionOf, writtenText } from '../config/shown-text.ts';
import { GatewayError } from '../core/errors.ts';
import type { OrError } from '../core/exchange.ts';
import type { AdminAnswer } from '../operator/admin/admin-route.ts';

/** Where a configuration comes from, with a way to read it. */
export interface ReadableSource {
  /** Files and folders; empty: it stands in no file. */
  readonly paths: readonly string[];
  /** Reads all of it, with these texts in the place of files. Nothing comes in force. */
  load(texts: ReadonlyMap<string, string>): Loaded | Refused;
}

const checked = z.strictObject({ file: z.string(), text: z.string() });
const applied = z.strictObject({ file: z.string(), text: z.string(), version: z.string() });

/** The files that the configuration in force was read from, with their secrets left out. */
export async function listFiles(source: ReadableSource): Promise<OrError<AdminAnswer>> {
  return { status: 200, json: { files: await Promise.all(filesOf(source).map(shown)) } };
}

export async function checkFile(source: ReadableSource, body: unknown): Promise<OrError<AdminAnswer>> {
  const asked = await fileOf(body, checked, source);
  return asked instanceof GatewayError ? asked : { status: 200, json: checkOf(source, asked) };
}

interface AskedFile {
  readonly file: string;
  /** As it stands there now. */
  readonly before: string;
  /** As it would stand in the file. */
  readonly text: string;
  /** The version of what stands there now. */
  readonly version: string;
}

/** `${file:…}` names further ones, which hold secrets: they are none of these. */
function filesOf({ paths }: ReadableSource): readonly string[] {
  return manifestFiles(paths).files;
}

async function shown(file: string): Promise<object> {
  try {
    const source = await readFile(file, 'utf8');
    const told = shownText(source);
    const is_writable = told !== undefined && (await isWritable(file));
    const reason = told === undefined ? 'it is no YAML, so nobody knows where its secrets are' : null;
    return { file, text: told?.text ?? null, version: versionOf(source), is_writable, reason };
  } catch {
    // It was deleted, or may not be read any more.
    return { file, text: null, version: null, is_writable: false, reason: 'it cannot be read' };
  }
}

/** A new file is put in the place of the old one, which is so for whoever reads it at any time: the folder is written. */
async function isWritable(file: string): Promise<boolean> {
  try {
    await access(file, constants.W_OK);
    await access(dirname(file), constants.W_OK);
    return true;
  } catch {
    // Mounted read-only, or of another user.
    return false;
  }
}

async function fileOf<T extends { file: string; text: string }>(
  body: unknown,
  schema: z.ZodType<T>,
  source: ReadableSource,
): Promise<OrError<AskedFile & T>> {
  const read = schema.safeParse(body);
  if (!read.success) {
    const param = String(read.error.issues[0]?.path[0] ?? 'file');
    return new GatewayError('invalid_parameter', { param, detail: '`file` and `text` are texts.' });
  }
  const { file, text: edited } = read.data;
  if (!filesOf(source).includes(file)) {
    const detail = `No file of the configuration is \`${file.slice(0, 200)}\`.`;
    return new GatewayError('not_found', { param: 'file', detail });
  }
  const before = await readFile(file, 'utf8');
  const written = writtenText(edited, shownText(before)?.secrets ?? []);
  if (typeof written === 'string') return new GatewayError('invalid_parameter', { param: 'text', detail: written });
  return { version: versionOf(before), ...read.data, before, text: written.text };
}

function checkOf(source: ReadableSource, { file, text, before }: AskedFile): Pick<Refused, 'faults' | 'warnings'> {
  const result = source.load(new Map([[file, text]]));
  const faults = 'faults' in result ? result.faults : [];
  const told = { faults, warnings: [...result.warnings, ...restartsOf(source.load(new Map()), result)] };
  // A secret that was moved to another key is no secret there, and would be told with what is wrong with it.
  const secrets = (shownText(before)?.secrets ?? []).flatMap((each) => [each, each.replace(/^["']|["']$/g, '')]);
  const longestFirst = [...new Set(secrets)].sort((one, other) => other.length - one.length);
  const hide = (_key: string, value: unknown): unknown =>
    typeof value === 'string'
      ? longestFirst.reduce((shown, secret) => shown.replaceAll(secret, '(secret)'), value)
      : value;
  return JSON.parse(JSON.stringify(told), hide);
}

/** What would take effect with the next start alone. */
function restartsOf(before: Loaded | Refused, after: Loaded | Refused): readonly Fault[] {
  if ('faults' in before || 'faults' in after) return [];
  const reloaded = applyReload(before.configuration, after);
  return 'faults' in reloaded ? reloaded.faults : reloaded.warnings.filter(({ code }) => code === 'restart-needed');
}

/**
 * What a file asks of the machine: programs that it starts, with their arguments and environment, and files and variables
 * that it reads. It is told by what the loader would read: aliases, merges and escapes hide nothing.
 */
function asksOfMachine(text: string): Set<string> {
  const asks = new Set<string>();
  const seen = new Set<object>();
  const look = (value: unknown): void => {
    if (typeof value === 'string') for (const each of value.match(REFERENCES) ?? []) asks.add(each);
    if (typeof value !== 'object' || value === null || seen.has(value)) return;
    // An alias may stand within what it names.
    seen.add(value);
    if ('command' in value) {
      const { command, args, auth_data } = value as Record<string, unknown>;
      asks.add(`program ${JSON.stringify([command, args, auth_data])}`);
    }
    for (const each of Object.values(value)) look(each);
  };
  for (const { data } of yamlDocuments(text, '').documents) look(data);
  return asks;
}

const REFERENCES = /\$\{(?:env|file):[^{}]*\}/g;

/** Writes one of them if a check finds no fault. */
export async function writeFile(source: ReadableSource, body: unknown): Promise<OrError<AdminAnswer>> {
  const asked = await fileOf(body, applied, source);
  if (asked instanceof GatewayError) return asked;
  const { file, text, version } = asked;
  const conflict = (detail: string) => new GatewayError('conflict', { param: 'file', detail });
  if (versionOf(await readFile(file, 'utf8')) !== version) return conflict('It changed since it was read.');
  if (!(await isWritable(file))) return conflict('The gateway may not write it.');
  const before = asksOfMachine(asked.before);
  if ([...asksOfMachine(text)].some((each) => !before.has(each))) {
    const detail =
      'It starts another program, or one otherwise, or reads another `${env:…}` or `${file:…}`: a role is no account on this machine, so write that into the file there.';
    return conflict(detail);
  }
  const { faults, warnings } = checkOf(source, asked);
  if (faults.length > 0) return conflict(`It would have ${faults.length} faults; the check names them.`);
  await replace(file, text);
  return { status: 200, json: { file, version: versionOf(text), warnings }, changed: [file] };
}

/** Whole or not at all: a crash leaves the old one. */
async function replace(link: string, text: string): Promise<void> {
  // A symbolic link stays one.
  const file = await realpath(link);
  const { mode } = await stat(file);
  const beside = join(dirname(file), `.${process.pid}-${Date.now()}.tmp`);
  try {
    const handle = await open(beside, 'wx', mode);
    try {
      await handle.writeFile(text);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(beside, file);
  } catch (cause) {
    await rm(beside, { force: true });
    throw cause;
  }
}
