/**
 * A gateway that runs from its sources (`npm start`) loads this: it strips the types of all of src/ once for all its
 * threads, and keeps the result for the next start. Node's own stripper is loaded anew in each thread that runs a .ts
 * file: it takes a third of the start, and 30 MB in each thread for as long as the thread lives.
 *
 * It is given with --import, which threads inherit, and is no .ts file, because that would have to be stripped. The first
 * start strips in a thread that ends then; what is not stripped here, for whatever reason, is left to Node. The result
 * stands in node_modules/.cache and not in the data folder, since code that has to be stripped finds out which that is.
 */
import { hash } from 'node:crypto';
import {
  closeSync,
  fstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { registerHooks, stripTypeScriptTypes } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { getEnvironmentData, isMainThread, setEnvironmentData, Worker, workerData } from 'node:worker_threads';

/**
 * @typedef {object} Sources All that threads share.
 * @property {string} fingerprint Of Node's version, of this script, and of the names, sizes and times of all files.
 * @property {string[]} files
 * @property {number[]} offsets Where each file begins in `text`, and where the last one ends.
 * @property {Uint8Array | undefined} text Stripped files, as UTF-8. None is longer than it was. Undefined: `kept` has it.
 * @property {{ fd: number, start: number } | undefined} kept Where it begins in the file that an earlier start kept. The file
 *   stays open for all threads, and is read piece by piece, so that no process holds 5 MB of text for good.
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
/** Fifty languages of zod, which nobody asks for: nearly 1 MB in each thread, and 14 ms of its start. */
const LANGUAGES = '/node_modules/zod/v4/locales/index.js';
/** A start must not hang if the stripping thread was killed. */
const MAX_WAIT_MS = 10_000;
/** The line before the kept text has a fingerprint, and a number for each file; it is no longer than this. */
const MAX_HEAD_BYTES = 65_536;

if (workerData?.[KEY]) {
  stripAll(workerData[KEY]);
  keep(workerData[KEY]);
} else if (isMainThread) {
  const sources = listSources(join(root, 'src'));
  setEnvironmentData(KEY, sources);
  if (sources.kept === undefined) {
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
  const { size: ownSize, mtimeMs: ownMtimeMs } = statSync(fileURLToPath(import.meta.url));
  const known = [process.version, `${ownSize} ${ownMtimeMs}`];
  const offsets = [0];
  let end = 0;
  for (const file of files) {
    const { size, mtimeMs } = statSync(file);
    known.push(`${file} ${size} ${mtimeMs}`);
    end += size;
    offsets.push(end);
  }
  const numbers = () => new Int32Array(new SharedArrayBuffer(4 * files.length));
  const fingerprint = hash('sha256', known.join('\n'));
  const made = { fingerprint, files, offsets, lengths: numbers(), states: numbers(), wanted: numbers() };
  const kept = openKept(made, end);
  return { ...made, kept, text: kept ? undefined : new Uint8Array(new SharedArrayBuffer(end)) };
}

/** @param {Sources} sources */
function loadFrom({ files, offsets, text, kept, lengths, states, wanted }) {
  const numbers = new Map(files.map((file, number) => [pathToFileURL(file).href, number]));
  registerHooks({
    // Node would look up each file, its real path and its package.json for every import of it.
    resolve(specifier, context, nextResolve) {
      const { parentURL } = context;
      if (!specifier.startsWith('.') || parentURL === undefined || !numbers.has(parentURL))
        return nextResolve(specifier, context);
      const { href } = new URL(specifier, parentURL);
      return numbers.has(href) ? { url: href, format: 'module', shortCircuit: true } : nextResolve(specifier, context);
    },
    load(url, context, nextLoad) {
      if (url.endsWith(LANGUAGES)) return { format: 'module', source: '', shortCircuit: true };
      const number = numbers.get(url);
      if (number === undefined) return nextLoad(url, context);
      if (Atomics.load(states, number) === PENDING) {
        Atomics.store(wanted, 0, number);
        Atomics.wait(states, number, PENDING, MAX_WAIT_MS);
      }
      if (Atomics.load(states, number) !== STRIPPED) return nextLoad(url, context);
      const start = at(offsets, number);
      const length = at(lengths, number);
      const source = text?.slice(start, start + length) ?? readPiece(kept, start, length);
      return source === undefined ? nextLoad(url, context) : { format: 'module', source, shortCircuit: true };
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
  if (text === undefined || Atomics.load(states, number) !== PENDING) return;
  let state = LEFT;
  try {
    const stripped = Buffer.from(withoutComments(stripTypeScriptTypes(readFileSync(at(files, number), 'utf8'))));
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

/**
 * Without the comments that have lines of their own, and without blanks at the ends of lines; each line stays where it is.
 * Every thread keeps the text of what it has loaded, and where a comment has a letter that is none of Latin-1, with two bytes
 * for each. A test holds every file of src/ against it.
 *
 * @param {string} source
 */
export function withoutComments(source) {
  let within = false;
  const lines = source.split('\n').map((line) => {
    const text = line.trim();
    const begins = !within && text.startsWith('/*');
    if (within || begins) {
      const end = text.indexOf('*/', begins ? 2 : 0);
      within = end < 0;
      // What follows on the same line is code.
      return within || end + 2 === text.length ? '' : text.slice(end + 2);
    }
    return text.startsWith('//') ? '' : line.trimEnd();
  });
  return lines.join('\n');
}

/** A line of JSON, then the text. Whole or not at all: another gateway may start from it. @param {Sources} sources */
function keep({ fingerprint, text, lengths, states }) {
  if (text === undefined || states.includes(LEFT)) return;
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

/**
 * Undefined where nothing is kept, or what is kept is of other files.
 *
 * @param {Pick<Sources, 'fingerprint' | 'lengths' | 'states'>} sources
 * @param {number} size Of the text.
 * @returns {Sources['kept']}
 */
function openKept({ fingerprint, lengths, states }, size) {
  try {
    const fd = openSync(CACHE, 'r');
    const head = Buffer.alloc(MAX_HEAD_BYTES);
    const start = head.subarray(0, readSync(fd, head, 0, head.length, 0)).indexOf('\n') + 1;
    const known = JSON.parse(head.toString('utf8', 0, start));
    if (known.fingerprint !== fingerprint || fstatSync(fd).size - start !== size) {
      closeSync(fd);
      return undefined;
    }
    lengths.set(known.lengths);
    states.fill(STRIPPED);
    return { fd, start };
  } catch {
    // Nothing is kept yet, or half of it was lost.
    return undefined;
  }
}

/**
 * Undefined: it could not be read.
 *
 * @param {Sources['kept']} kept
 * @param {number} start
 * @param {number} length
 */
function readPiece(kept, start, length) {
  if (kept === undefined) return undefined;
  const source = Buffer.allocUnsafeSlow(length);
  try {
    return readSync(kept.fd, source, 0, length, kept.start + start) === length ? source : undefined;
  } catch {
    // Node reads the file itself.
    return undefined;
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
