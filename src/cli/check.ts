import type { Environment } from '../config/environment.ts';
import { formatFault } from '../config/fault.ts';
import { type AccountKind, loadConfiguration } from '../config/load.ts';
import { plural } from './plural.ts';

/** Where a command writes; `text` has its line end. */
export interface CommandOutput {
  stdout(text: string): void;
  stderr(text: string): void;
}

export interface CheckContext {
  kinds: readonly AccountKind[];
  environment: Environment;
}

/** `sluice check PATH…`: every fault and warning on a line of its own, a line of counts, and the exit code. */
export async function check(paths: readonly string[], output: CommandOutput, context: CheckContext): Promise<number> {
  if (paths.length === 0) {
    output.stderr('check needs at least one file or folder\n');
    return 1;
  }
  const result = loadConfiguration({ paths, ...context, wellKnown: [] });
  const faults = 'faults' in result ? result.faults : [];
  for (const fault of faults) output.stderr(`${formatFault(fault)}\n`);
  for (const warning of result.warnings) {
    output.stdout(`${formatFault({ ...warning, message: `warning: ${warning.message}` })}\n`);
  }
  const counts = [
    plural(result.files.length, 'file'),
    plural(faults.length, 'fault'),
    plural(result.warnings.length, 'warning'),
  ];
  output.stdout(`${counts.join(', ')}\n`);
  return faults.length === 0 ? 0 : 1;
}
