import type { Environment } from '../config/environment.ts';
import { formatFault } from '../config/fault.ts';
import { type AccountKind, loadConfiguration } from '../config/load.ts';
import { plural } from './plural.ts';
import type { CommandOutput } from './with-database.ts';

export interface CheckContext {
  kinds: readonly AccountKind[];
  environment: Environment;
}

/** `sluice check PATH…`: every fault and warning on a line of its own, a line of counts, and the exit code. */
export async function check(paths: readonly string[], output: CommandOutput, context: CheckContext): Promise<number> {
  if (paths.length === 0) {
    output.error('check needs at least one file or folder');
    return 1;
  }
  const result = loadConfiguration({ paths, ...context, wellKnown: [] });
  const faults = 'faults' in result ? result.faults : [];
  for (const fault of faults) output.error(formatFault(fault));
  for (const warning of result.warnings) {
    output.out(formatFault({ ...warning, message: `warning: ${warning.message}` }));
  }
  const counts = [
    plural(result.files.length, 'file'),
    plural(faults.length, 'fault'),
    plural(result.warnings.length, 'warning'),
  ];
  output.out(counts.join(', '));
  return faults.length === 0 ? 0 : 1;
}
