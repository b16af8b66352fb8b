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

/** A whole regular file as UTF-8 without byte order mark, or why not. */
export function readText(file: string, maxBytes: number): { text: string } | { reason: string } {
  const read = readBytes(file, maxBytes);
  if ('reason' in read) return read;
  try {
    return { text: new TextDecoder('utf-8', { fatal: true }).decode(read.bytes) };
  } catch (error) {
    return { reason: reasonOf(error) };
  }
}

/** A whole regular file, or why not: a pipe or device would block or never end. */
export function readBytes(file: string, maxBytes: number): { bytes: Buffer } | { reason: string } {
  let descriptor: number | undefined;
  try {
    const stat = statSync(file);
    if (!stat.isFile()) return { reason: 'it is not a regular file' };
    descriptor = openSync(file, 'r');
    // One byte more than there is: it may grow meanwhile, and files of /proc say that they are empty.
    let buffer = Buffer.allocUnsafe(Math.min(Math.max(stat.size, 65_535), maxBytes) + 1);
    let length = 0;
    for (;;) {
      const read = readSync(descriptor, buffer, length, buffer.length - length, null);
      length += read;
      if (read === 0) return { bytes: buffer.subarray(0, length) };
      if (length > maxBytes) return { reason: `it is larger than ${maxBytes} bytes` };
      if (length === buffer.length) buffer = Buffer.concat([buffer], Math.min(buffer.length * 2, maxBytes + 1));
    }
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
