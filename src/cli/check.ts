import type { Environment } from '../config/environment.ts';
import { type Fault, formatFault } from '../config/fault.ts';
import { type AccountKind, loadConfiguration } from '../config/load.ts';
import { plural } from './plural.ts';
import type { CommandOutput } from './with-database.ts';

export interface CheckOptions {
  /** Warnings are faults. */
  readonly strict?: boolean;
}

export interface CheckContext extends CommandOutput {
  readonly kinds: readonly AccountKind[];
  readonly environment: Environment;
}

/** `sluice check PATH…`: every fault and warning on a line of its own, a line of counts, and the exit code. */
export async function check(paths: readonly string[], options: CheckOptions, context: CheckContext): Promise<number> {
  const { kinds, environment, out, error } = context;
  if (paths.length === 0) {
    error('check needs at least one file or folder');
    return 1;
  }
  const result = loadConfiguration({ paths, kinds, environment, wellKnown: [] });
  const found = 'faults' in result ? result.faults : [];
  const [faults, warnings] = options.strict ? [[...found, ...result.warnings], []] : [found, result.warnings];
  for (const fault of faults) error(formatFault(fault));
  for (const warning of warnings) out(formatWarning(warning));
  out(
    [plural(result.files.length, 'file'), plural(faults.length, 'fault'), plural(warnings.length, 'warning')].join(
      ', ',
    ),
  );
  return faults.length === 0 ? 0 : 1;
}

function formatWarning(warning: Fault): string {
  return formatFault({ ...warning, message: `warning: ${warning.message}` });
}
