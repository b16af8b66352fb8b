import { accessSync, constants } from 'node:fs';
import type { ServerSettings } from './configuration.ts';
import type { Fault, PathSegment, Position } from './fault.ts';
import { formatPath } from './fault.ts';
import { reasonOf } from './manifest-files.ts';

export type Locate = (path: readonly PathSegment[]) => Position;

/** What only several settings together, or the disk, can tell. */
export function checkServer(server: ServerSettings, locate: Locate): { faults: Fault[]; warnings: Fault[] } {
  const faults: Fault[] = [];
  const warnings: Fault[] = [];
  const at = (...path: PathSegment[]) => ({ ...locate(path), path: formatPath(path) });

  const { listen, operator, limits } = server;
  if (operator.port !== 0 && operator.port === listen.port && hostsMeet(operator.host, listen.host)) {
    const message = 'this is the port of `listen` already';
    faults.push({ code: 'invalid-value', ...at('operator', 'port'), message, found: String(operator.port) });
  }
  for (const key of ['cert_file', 'key_file'] as const) {
    const file = key === 'cert_file' ? listen.tls?.certFile : listen.tls?.keyFile;
    const reason = file === undefined ? undefined : whyUnreadable(file);
    if (reason !== undefined) {
      faults.push({ code: 'unreadable', ...at('listen', 'tls', key), message: `cannot read ${file}: ${reason}` });
    }
  }
  if (limits.maxBodyBytes > limits.maxBodyMemoryBytes) {
    const remedy = `Bodies over ${limits.maxBodyMemoryBytes} bytes are always refused; lower limits.max_body_bytes`;
    const message = 'all bodies together get less than one may have (limits.max_body_bytes)';
    const position = at('limits', 'max_body_memory_bytes');
    warnings.push({ code: 'suspicious-value', ...position, message, found: String(limits.maxBodyMemoryBytes), remedy });
  }
  return { faults, warnings };
}

function hostsMeet(one: string, other: string): boolean {
  const every = ['0.0.0.0', '::'];
  return one === other || every.includes(one) || every.includes(other);
}

function whyUnreadable(file: string): string | undefined {
  try {
    accessSync(file, constants.R_OK);
    return undefined;
  } catch (error) {
    return reasonOf(error);
  }
}
