import type { DatabaseSync } from 'node:sqlite';

/** The one place that loads node:sqlite. */
export function openSqliteFile(path: string): DatabaseSync {
  const { DatabaseSync } = loadQuietly();
  return new DatabaseSync(path);
}

/**
 * Node 22 calls the module experimental on stderr when it is loaded: nothing that a user of the command can act on.
 * Loading is synchronous, so no other warning can be lost meanwhile.
 */
function loadQuietly(): typeof import('node:sqlite') {
  const emitWarning = process.emitWarning;
  process.emitWarning = () => {};
  try {
    return process.getBuiltinModule('node:sqlite');
  } finally {
    process.emitWarning = emitWarning;
  }
}
