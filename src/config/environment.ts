/** The only reader of process.env in the house; everybody else is handed what it needs. */
export type Environment = Readonly<Record<string, string | undefined>>;

export function environment(): Environment {
  return process.env;
}

/**
 * Sets the variables of a file that are not set yet, one `NAME=VALUE` a line. Gives why it cannot be read; undefined: it was.
 */
export function readEnvironmentFile(path: string): string | undefined {
  try {
    process.loadEnvFile(path);
    return undefined;
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
    return `${path} (--dotenv) cannot be read: ${code === 'ENOENT' ? 'there is no such file' : String(code ?? cause)}`;
  }
}

/** The paths of `SLUICE_CONFIG`, separated by colons; none when it is absent or empty. */
export function configurationPaths(from: Environment): string[] {
  return (from['SLUICE_CONFIG'] ?? '').split(':').filter((path) => path !== '');
}
