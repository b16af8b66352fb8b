import { closeSync, openSync, readdirSync, readSync, realpathSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Fault } from '../fault.ts';

/** Larger than any configuration, small enough that a wrong path does not fill the memory. */
const maxManifestBytes = 4 * 1024 * 1024;

export interface ManifestFiles {
  files: string[];
  faults: Fault[];
  warnings: Fault[];
}

/**
 * The manifest files of the given paths, in order. A file counts whatever its name; of a folder count the `*.yaml` and
 * `*.yml` directly in it, sorted by name, without hidden ones and without subfolders (a folder of a mounted Kubernetes
 * ConfigMap holds each file a second time below `..data`). A file reached twice counts once.
 */
export function manifestFiles(paths: readonly string[]): ManifestFiles {
  const result: ManifestFiles = { files: [], faults: [], warnings: [] };
  const seen = new Set<string>();
  const add = (file: string) => {
    const real = realpathSync(file);
    if (!seen.has(real)) result.files.push(file);
    seen.add(real);
  };
  for (const path of paths) {
    try {
      if (!statSync(path).isDirectory()) {
        add(path);
        continue;
      }
      const names = readdirSync(path).filter((name) => /^[^.].*\.ya?ml$/i.test(name));
      const files = names
        .sort()
        .map((name) => join(path, name))
        .filter((file) => !statSync(file).isDirectory());
      for (const file of files) add(file);
      if (files.length === 0) {
        result.warnings.push({
          code: 'suspicious-value',
          file: path,
          path: '',
          message: 'this folder holds no manifest',
          allowed: 'files that end in .yaml or .yml, directly in it',
        });
      }
    } catch (error) {
      result.faults.push(unreadable(path, reasonOf(error)));
    }
  }
  return result;
}

export function readManifest(file: string): string | Fault {
  const read = readText(file, maxManifestBytes);
  return 'reason' in read ? unreadable(file, read.reason) : read.text;
}

/** A whole regular file as UTF-8 without byte order mark, or why not: a pipe or device would block or never end. */
export function readText(file: string, maxBytes: number): { text: string } | { reason: string } {
  let descriptor: number | undefined;
  try {
    if (!statSync(file).isFile()) return { reason: 'it is not a regular file' };
    descriptor = openSync(file, 'r');
    const buffer = Buffer.allocUnsafe(maxBytes + 1);
    let length = 0;
    while (length < buffer.length) {
      const read = readSync(descriptor, buffer, length, buffer.length - length, null);
      if (read === 0) break;
      length += read;
    }
    if (length > maxBytes) return { reason: `it is larger than ${maxBytes} bytes` };
    return { text: new TextDecoder('utf-8', { fatal: true }).decode(buffer.subarray(0, length)) };
  } catch (error) {
    return { reason: reasonOf(error) };
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

const reasons: Record<string, string> = {
  ENOENT: 'there is no such file or folder',
  EACCES: 'this user may not read it',
  EPERM: 'this user may not read it',
  ENOTDIR: 'a part of its path is not a folder',
  ELOOP: 'its symbolic links lead in a circle',
  ERR_ENCODING_INVALID_ENCODED_DATA: 'it is not UTF-8 text',
};

export function reasonOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
  return reasons[code] ?? `it cannot be read (${code})`;
}

function unreadable(file: string, reason: string): Fault {
  return { code: 'unreadable', file, path: '', message: `cannot read this path: ${reason}` };
}
