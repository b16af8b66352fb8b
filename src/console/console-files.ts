import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';

/** An answer of the operator port, structurally that of `operator/answer.ts`. */
export interface ConsoleAnswer {
  readonly status: number;
  readonly type: string;
  readonly body: Buffer | string;
  readonly headers: Readonly<Record<string, string>>;
}

export interface ConsoleRequest {
  /** Without query. */
  readonly path: string;
  readonly acceptEncoding: string | undefined;
  readonly ifNoneMatch: string | undefined;
}

interface ConsoleFile {
  readonly type: string;
  readonly etag: string;
  readonly plain: Buffer;
  readonly brotli: Buffer;
  readonly gzip: Buffer;
}

const TYPES: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  svg: 'image/svg+xml',
};

/** Pages may load from this port alone, run no inline script and no text as a script, and stand in no frame. */
const POLICY = [
  "default-src 'self'",
  "img-src 'self' data:",
  "object-src 'none'",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ');

const HEADERS = {
  'content-security-policy': POLICY,
  'cross-origin-opener-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-frame-options': 'DENY',
  'cache-control': 'no-cache',
  vary: 'accept-encoding',
};

/** Modules of packages as the pages import them. `edit` turns a package's own imports into addresses of this port. */
const LIBRARIES: Readonly<
  Record<string, { readonly of: string; readonly file?: string; edit?(text: string): string }>
> = {
  'lib/preact.js': { of: 'preact' },
  'lib/hooks.js': { of: 'preact/hooks', edit: (text) => text.replaceAll(/from\s*"preact"/g, 'from"./preact.js"') },
  'lib/htm.js': { of: 'htm' },
  // The minified form of uPlot is the only small one; it is a script that leaves its one name behind.
  'lib/uplot.js': { of: 'uplot', file: 'uPlot.iife.min.js', edit: (text) => `${text}\nexport default uPlot;\n` },
  'lib/uplot.css': { of: 'uplot', file: 'uPlot.min.css' },
};

const compressBrotli = promisify(brotliCompress);
const compressGzip = promisify(gzip);

/**
 * The console's pages and the libraries they import. Nothing is read before it is first asked for; then each file is
 * compressed once, beside the event loop, and kept.
 */
export class ConsoleFiles {
  readonly #folder: string;
  readonly #files = new Map<string, Promise<ConsoleFile>>();
  #pages: Promise<ReadonlySet<string>> | undefined;

  constructor(folder = fileURLToPath(new URL('./pages/', import.meta.url))) {
    this.#folder = folder;
  }

  /** Undefined: there is no such file. */
  async answer({ path, acceptEncoding = '', ifNoneMatch }: ConsoleRequest): Promise<ConsoleAnswer | undefined> {
    if (path === '/console') {
      return { status: 308, type: 'text/plain', body: '', headers: { ...HEADERS, location: '/console/' } };
    }
    const name = path.slice('/console/'.length) || 'index.html';
    const found = await this.#file(name);
    if (found === undefined) return undefined;
    const { type, etag } = found;
    if (ifNoneMatch === etag) return { status: 304, type, body: '', headers: { ...HEADERS, etag } };
    const [coding, body] = coded(found, acceptEncoding);
    return { status: 200, type, body, headers: { ...HEADERS, etag, ...(coding && { 'content-encoding': coding }) } };
  }

  /** Bytes that a browser takes for all files together, compressed by brotli or gzip. */
  async sizes(): Promise<{ readonly brotli: number; readonly gzip: number }> {
    const names = [...(await this.#names()), ...Object.keys(LIBRARIES)];
    const files = await Promise.all(names.map((name) => this.#file(name)));
    const total = (form: 'brotli' | 'gzip') => files.reduce((sum, file) => sum + (file?.[form].length ?? 0), 0);
    return { brotli: total('brotli'), gzip: total('gzip') };
  }

  async #file(name: string): Promise<ConsoleFile | undefined> {
    const isKnown = Object.hasOwn(LIBRARIES, name) || (await this.#names()).has(name);
    if (!isKnown) return undefined;
    let file = this.#files.get(name);
    if (file === undefined) {
      file = this.#read(name);
      this.#files.set(name, file);
      // A file that could not be read is read again by the next request.
      file.catch(() => this.#files.delete(name));
    }
    return file;
  }

  /** Names are those of the folder: a path that climbs out of it is no name. */
  #names(): Promise<ReadonlySet<string>> {
    this.#pages ??= readdir(this.#folder).then((names) => new Set(names.filter((name) => extensionOf(name) in TYPES)));
    return this.#pages;
  }

  async #read(name: string): Promise<ConsoleFile> {
    const library = LIBRARIES[name];
    const text = await readFile(library ? libraryPath(library) : join(this.#folder, name), 'utf8');
    const plain = Buffer.from(library?.edit?.(text) ?? text);
    const params = { [constants.BROTLI_PARAM_QUALITY]: 9, [constants.BROTLI_PARAM_MODE]: constants.BROTLI_MODE_TEXT };
    const [brotli, gzipped] = await Promise.all([compressBrotli(plain, { params }), compressGzip(plain, { level: 9 })]);
    const digest = createHash('sha256').update(plain).digest('base64url').slice(0, 22);
    return { type: TYPES[extensionOf(name)] ?? 'text/plain', etag: `"${digest}"`, plain, brotli, gzip: gzipped };
  }
}

function coded(file: ConsoleFile, accepts: string): [string | undefined, Buffer] {
  if (/\bbr\b/.test(accepts)) return ['br', file.brotli];
  if (/\bgzip\b/.test(accepts)) return ['gzip', file.gzip];
  return [undefined, file.plain];
}

/** Where a package's module stands, or another file beside it. */
function libraryPath({ of, file }: { readonly of: string; readonly file?: string }): string {
  const path = fileURLToPath(import.meta.resolve(of));
  return file === undefined ? path : join(dirname(path), file);
}

function extensionOf(name: string): string {
  return name.slice(name.lastIndexOf('.') + 1);
}
