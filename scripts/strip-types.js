/**
 * For a gateway that runs from its sources (`npm start`): strips the types of all of src/ once for all of its threads, and
 * keeps the result for the next start. Node's own stripper is loaded anew in each thread that runs a .ts file: it takes a
 * third of the start, and 30 MB in each thread for as long as the thread lives.
 *
 * It is given with --import, which threads inherit, and is no .ts file, because that would have to be stripped. The first
 * start strips in a thread that ends then; what is not stripped here, for whatever reason, is left to Node. The result
 * stands in node_modules/.cache and not in the data folder, since code that has to be stripped finds out which that is.
 */
import { hash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { registerHooks, stripTypeScriptTypes } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { getEnvironmentData, isMainThread, setEnvironmentData, Worker, workerData } from 'node:worker_threads';

/**
 * @typedef {object} Sources All that threads share.
 * @property {string} fingerprint Of Node's version and of the names, sizes and times of all files.
 * @property {string[]} files
 * @property {number[]} offsets Where each file begins in `text`, and where the last one ends.
 * @property {Uint8Array} text Stripped files, as UTF-8. None is longer than it was.
 * @property {Int32Array} lengths Of each stripped file, in bytes.
 * @property {Int32Array} states PENDING, STRIPPED or LEFT of each file.
 * @property {Int32Array} wanted The number of a file that a thread waits for.
 */

const root = fileURLToPath(new URL('..', import.meta.url));
const CACHE = join(root, 'node_modules/.cache/sluice/stripped-types');
const KEY = 'sluice: stripped sources';
const PENDING = 0;
const STRIPPED = 1;
/** To Node. */
const LEFT = 2;
/** A start must not hang if the stripping thread was killed. */
const MAX_WAIT_MS = 10_000;

if (workerData?.[KEY]) {
  stripAll(workerData[KEY]);
  keep(workerData[KEY]);
} else if (isMainThread) {
  const sources = listSources(join(root, 'src'));
  setEnvironmentData(KEY, sources);
  if (!readKept(sources)) {
    const thread = new Worker(new URL(import.meta.url), { execArgv: [], workerData: { [KEY]: sources } });
    // What it does not do Node does.
    thread.on('error', () => {});
    thread.unref();
  }
  loadFrom(sources);
} else loadFrom(/** @type {any} */ (getEnvironmentData(KEY)));

/**
 * @param {string} folder
 * @returns {Sources}
 */
function listSources(folder) {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.d.ts'))
    .map((name) => join(folder, name));
  const known = [process.version];
  const offsets = [0];
  let end = 0;
  for (const file of files) {
    const { size, mtimeMs } = statSync(file);
    known.push(`${file} ${size} ${mtimeMs}`);
    end += size;
    offsets.push(end);
  }
  const numbers = () => new Int32Array(new SharedArrayBuffer(4 * files.length));
  const text = new Uint8Array(new SharedArrayBuffer(end));
  const fingerprint = hash('sha256', known.join('\n'));
  return { fingerprint, files, offsets, text, lengths: numbers(), states: numbers(), wanted: numbers() };
}

/** @param {Sources} sources */
function loadFrom({ files, offsets, text, lengths, states, wanted }) {
  const numbers = new Map(files.map((file, number) => [pathToFileURL(file).href, number]));
  registerHooks({
    load(url, context, nextLoad) {
      const number = numbers.get(url);
      if (number === undefined) return nextLoad(url, context);
      if (Atomics.load(states, number) === PENDING) {
        Atomics.store(wanted, 0, number);
        Atomics.wait(states, number, PENDING, MAX_WAIT_MS);
      }
      if (Atomics.load(states, number) !== STRIPPED) return nextLoad(url, context);
      const start = at(offsets, number);
      return { format: 'module', source: text.slice(start, start + at(lengths, number)), shortCircuit: true };
    },
  });
}

/** @param {Sources} sources */
function stripAll(sources) {
  // Node calls the function experimental on stderr: nothing that a user of the gateway can act on.
  process.emitWarning = () => {};
  for (const next of sources.files.keys()) {
    strip(sources, Atomics.load(sources.wanted, 0));
    strip(sources, next);
  }
}

/**
 * @param {Sources} sources
 * @param {number} number
 */
function strip({ files, offsets, text, lengths, states }, number) {
  if (Atomics.load(states, number) !== PENDING) return;
  let state = LEFT;
  try {
    const stripped = Buffer.from(stripTypeScriptTypes(readFileSync(at(files, number), 'utf8')));
    const start = at(offsets, number);
    if (stripped.length <= at(offsets, number + 1) - start) {
      text.set(stripped, start);
      lengths[number] = stripped.length;
      state = STRIPPED;
    }
  } catch {
    // Node says better what is wrong with the file.
  }
  Atomics.store(states, number, state);
  Atomics.notify(states, number);
}

/** A line of JSON, then the text. Whole or not at all: another gateway may start from it. @param {Sources} sources */
function keep({ fingerprint, text, lengths, states }) {
  if (states.includes(LEFT)) return;
  try {
    mkdirSync(join(CACHE, '..'), { recursive: true });
    const draft = `${CACHE}.${process.pid}.tmp`;
    const head = Buffer.from(`${JSON.stringify({ fingerprint, lengths: [...lengths] })}\n`);
    writeFileSync(draft, Buffer.concat([head, text]));
    renameSync(draft, CACHE);
  } catch {
    // A folder that cannot be written to: the next start strips again.
  }
}

/** False where nothing is kept, or what is kept is of other files. @param {Sources} sources */
function readKept({ fingerprint, text, lengths, states }) {
  try {
    const kept = readFileSync(CACHE);
    const start = kept.indexOf('\n') + 1;
    const head = JSON.parse(kept.toString('utf8', 0, start));
    if (head.fingerprint !== fingerprint || kept.length - start !== text.length) return false;
    text.set(kept.subarray(start));
    lengths.set(head.lengths);
    states.fill(STRIPPED);
    return true;
  } catch {
    // Nothing is kept yet, or half of it was lost.
    return false;
  }
}

/**
 * @template T
 * @param {ArrayLike<T>} list
 * @param {number} index
 * @returns {T}
 */
function at(list, index) {
  const value = list[index];
  if (value === undefined) throw new RangeError(`${index} of ${list.length}`);
  return value;
}
