import { execFile } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { TestContext } from 'node:test';
import { promisify } from 'node:util';
import { parseAllDocuments } from 'yaml';
import { z } from 'zod';
import { serverSchema } from '../../src/config/server/server-schema.ts';
import { selfSigned } from './certificate.ts';
import { root } from './pages.ts';
import { sluice } from './sluice-command.ts';

/** How the files of deploy/ and examples/ are read by the tests that hold what they say. */

const run = promisify(execFile);

export const textOf = (file: string): Promise<string> => readFile(join(root, file), 'utf8');

/** Every document of a file, in the given shape. */
export async function documentsOf<T extends z.ZodType>(file: string, shape: T): Promise<z.output<T>[]> {
  return parseAllDocuments(await textOf(file)).map((document) => {
    if (document.errors.length > 0) throw new Error(`${file}: ${document.errors.join('\n')}`);
    return shape.parse(document.toJS());
  });
}

export interface Instruction {
  readonly name: string;
  readonly value: string;
}

/** The stages of a Dockerfile: each begins with its FROM. */
export function stagesOf(dockerfile: string): Instruction[][] {
  const stages: Instruction[][] = [];
  for (const line of dockerfile
    .replace(/^#.*\n/gm, '')
    .replace(/\\\n\s*/g, '')
    .split('\n')) {
    const [, name = '', value = ''] = /^([A-Z]+)\s+(.*)$/.exec(line) ?? [];
    if (name === 'FROM') stages.push([]);
    if (name !== '') stages.at(-1)?.push({ name, value });
  }
  return stages;
}

export const valuesOf = (stage: readonly Instruction[], name: string): string[] =>
  stage.flatMap((each) => (each.name === name ? [each.value] : []));

/** The one value of an instruction, which may stand in exec form behind its options. */
export function execForm(stage: readonly Instruction[], name: string): string[] {
  const [value = '', ...more] = valuesOf(stage, name);
  if (more.length > 0) throw new Error(`more than one ${name}`);
  return z.array(z.string()).parse(JSON.parse(value.slice(value.indexOf('['))));
}

/** The settings of a systemd unit: `Service.ExecStart` and the like. */
export function unitSettings(unit: string): Map<string, string> {
  const settings = new Map<string, string>();
  let section = '';
  for (const line of unit.split('\n')) {
    section = /^\[(\w+)\]$/.exec(line)?.[1] ?? section;
    const [, name, value = ''] = /^(\w+)=(.*)$/.exec(line) ?? [];
    if (name !== undefined) settings.set(`${section}.${name}`, value);
  }
  return settings;
}

/** What stands for a variable where not any text will do. */
const VALUES: Readonly<Record<string, string>> = {
  DATABASE_URL: 'postgres://user:password@host:5432/sluice',
  REDIS_URL: 'redis://host:6379/0',
  HOOK_URL: 'http://127.0.0.1:9000/',
  SLACK_WEBHOOK_URL: 'https://hooks.slack.com/services/T/B/x',
};

/** Variables that manifests name by `${env:NAME}`, each with a value that fits. */
export function variablesOf(manifests: string): Record<string, string> {
  const names = [...manifests.matchAll(/\$\{env:(\w+)\}/g)].map(([, name = '']) => name);
  return Object.fromEntries(names.map((name) => [name, VALUES[name] ?? `value-of-${name}`]));
}

/** The settings of the server that manifests set up, with all defaults. */
export function serverOf(manifests: string): z.output<typeof serverSchema> {
  const values = variablesOf(manifests);
  const text = manifests.replace(/\$\{env:(\w+)\}/g, (_, name: string) => values[name] ?? '');
  const written = parseAllDocuments(text).map((document): unknown => document.toJS());
  const typed = z.object({ type: z.literal('sluice/server') });
  return serverSchema.parse(written.find((each) => typed.safeParse(each).success) ?? { type: 'sluice/server' });
}

/** What a shell gets of `sluice check --strict`, where each variable is set and each file is there that manifests name. */
export async function checkStrict(
  context: TestContext,
  manifests: string,
): Promise<{ code: number | string; said: string }> {
  const folder = await temporaryFolder(context);
  const files = [...manifests.matchAll(/(?:\$\{file:|_file: )([^\s,}]+)/g)].map(([, file = '']) => file);
  const certificate = files.length > 0 ? await selfSigned(context, 'DNS:localhost') : undefined;
  for (const file of files) {
    await mkdir(dirname(join(folder, file)), { recursive: true });
    const pem = file.endsWith('.pem') ? certificate?.cert : certificate?.key;
    await writeFile(join(folder, file), pem ?? '');
  }
  await writeFile(join(folder, 'sluice.yaml'), manifests);
  const { PATH } = process.env;
  const { code, stdout, stderr } = await sluice(['check', '--strict', folder], {
    env: { PATH, ...variablesOf(manifests) },
  });
  return { code, said: stdout + stderr };
}

/** Puts into a folder what the image and an installed unit run: the compiled code beside package.json and node_modules. */
export async function installInto(folder: string): Promise<void> {
  await copyFile(join(root, 'package.json'), join(folder, 'package.json'));
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'));
  const build = ['-p', 'tsconfig.build.json', '--outDir', join(folder, 'dist')];
  // Types are checked elsewhere, which takes most of a build.
  const arguments_ = [...build, '--noCheck', '--declaration', 'false'];
  await run(join(root, 'node_modules/.bin/tsc'), arguments_, { cwd: root });
}

export async function temporaryFolder(context: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-deploy-'));
  context.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}
