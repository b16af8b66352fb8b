/**
 * Formats and lints every source file by Biome, as WebAssembly: its native packages differ from platform to platform and
 * not every registry holds all of them, so a lock file with them does not install everywhere. `--write` rewrites files.
 * Files that are named as arguments are the only ones that are read, from wherever the command is called.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Biome } from '@biomejs/js-api/nodejs';

const root = fileURLToPath(new URL('..', import.meta.url));
const FOLDERS = ['src', 'bench', 'load', 'test', 'scripts'];
const LEFT_OUT = /(?:^|\/)(?:node_modules|results|\.peers|fixtures)(?:\/|$)/;
const write = process.argv.includes('--write');
const named = process.argv.slice(2).filter((argument) => !argument.startsWith('--'));

const biome = new Biome();
const { projectKey } = biome.openProject(root);
biome.applyConfiguration(projectKey, JSON.parse(readFileSync(join(root, 'biome.json'), 'utf8')));

let faults = 0;
for (const file of named.length > 0 ? named.map((file) => resolve(file)) : FOLDERS.flatMap(sourceFiles)) {
  const filePath = relative(root, file);
  const before = readFileSync(file, 'utf8');
  const linted = biome.lintContent(projectKey, before, write ? { filePath, fixFileMode: 'safeFixes' } : { filePath });
  const formatted = biome.formatContent(projectKey, write ? linted.content : before, { filePath });
  for (const { severity, category, location, description } of [...linted.diagnostics, ...formatted.diagnostics]) {
    if (severity !== 'error' && severity !== 'warning' && severity !== 'fatal') continue;
    faults += 1;
    console.error(`${filePath}:${lineOf(before, location?.span?.[0])} ${category ?? severity}: ${description}`);
  }
  if (formatted.content === before) continue;
  if (write) writeFileSync(file, formatted.content);
  else {
    faults += 1;
    console.error(`${filePath}: not formatted; run: npm run format`);
  }
}
biome.shutdown();
process.exit(faults === 0 ? 0 : 1);

function sourceFiles(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => !LEFT_OUT.test(relative(root, file)));
}

/** Biome counts bytes. */
function lineOf(text: string, byte: number | undefined): number {
  return Buffer.from(text)
    .subarray(0, byte ?? 0)
    .toString()
    .split('\n').length;
}
