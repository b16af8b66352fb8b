/** The only reader of process.env in the house; everybody else is handed what it needs. */
export type Environment = Readonly<Record<string, string | undefined>>;

export function environment(): Environment {
  return process.env;
}

/** The paths of `SLUICE_CONFIG`, separated by colons; none when it is absent or empty. */
export function configurationPaths(from: Environment): string[] {
  return (from['SLUICE_CONFIG'] ?? '').split(':').filter((path) => path !== '');
}
