/**
 * Processes of tests load this: each .ts file of this repository is stripped of its types once, and the result is kept
 * for all later processes. Node's own stripper would be loaded in each of the 500, which takes half the time of a small
 * one.
 *
 * What V8 compiled of it is kept as well, apart from what gateways keep: their text of the same file has no comments.
 *
 * It is given with --import, which threads inherit. A gateway has `scripts/strip-types.js`, which reads all of src/ at once.
 */
import { mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { enableCompileCache, registerHooks, stripTypeScriptTypes } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = new URL('../..', import.meta.url).href;
const CACHE = fileURLToPath(new URL('node_modules/.cache/sluice/tests', root));
const packages = `${root}node_modules/`;

enableCompileCache(fileURLToPath(new URL('node_modules/.cache/sluice/compiled-tests', root)));

registerHooks({
  // Node would look up each file, its real path and its package.json for every import of it.
  resolve(specifier, context, nextResolve) {
    const { parentURL } = context;
    if (!isOwn(parentURL) || !specifier.startsWith('.') || !specifier.endsWith('.ts'))
      return nextResolve(specifier, context);
    return { url: new URL(specifier, parentURL).href, format: 'module', shortCircuit: true };
  },
  load(url, context, nextLoad) {
    if (!url.endsWith('.ts') || !isOwn(url)) return nextLoad(url, context);
    try {
      return { format: 'module', source: stripped(url), shortCircuit: true };
    } catch {
      // Node says better what is wrong with the file.
      return nextLoad(url, context);
    }
  },
});

/** @param {string | undefined} url */
function isOwn(url) {
  return url?.startsWith(root) && !url.startsWith(packages);
}

/** @param {string} url */
function stripped(url) {
  const path = fileURLToPath(url);
  const { size, mtimeMs } = statSync(path);
  // Behind the source, so that its lines stay where they are.
  const fingerprint = `\n// ${process.version} ${size} ${mtimeMs}`;
  const kept = join(CACHE, `${url.slice(root.length)}.js`);
  const known = readKept(kept);
  if (known?.endsWith(fingerprint)) return known;
  const source = `${strip(readFileSync(path, 'utf8'))}${fingerprint}`;
  keep(kept, source);
  return source;
}

/** @param {string} file */
function readKept(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    // Nothing is kept yet.
    return undefined;
  }
}

/** @param {string} source */
function strip(source) {
  const { emitWarning } = process;
  // Node calls the function experimental, and some tests look at what is on stderr.
  process.emitWarning = () => {};
  try {
    return stripTypeScriptTypes(source);
  } finally {
    process.emitWarning = emitWarning;
  }
}

/** Whole or not at all: another process may read it. @param {string} file @param {string} source */
function keep(file, source) {
  try {
    mkdirSync(dirname(file), { recursive: true });
    const draft = `${file}.${process.pid}.tmp`;
    writeFileSync(draft, source);
    renameSync(draft, file);
  } catch {
    // A folder that cannot be written to: the next process strips again.
  }
}
