/** How busy the machine was with what is none of ours: a run beside a build says little about times. */
import { availableParallelism } from 'node:os';
import { machineCpuUs, sample } from './proc.ts';

const WORTH_A_WORD = 0.05;

/** Called at the end, gives a remark when others took part of the machine since the start. */
export function watchOthers(): () => string | undefined {
  const start = { atMs: performance.now(), machineUs: machineCpuUs(), oursUs: sample(process.pid).cpuUs };
  return () => {
    const elapsedUs = (performance.now() - start.atMs) * 1000 * availableParallelism();
    const ours = sample(process.pid).cpuUs - start.oursUs;
    const share = (machineCpuUs() - start.machineUs - ours) / elapsedUs;
    if (share < WORTH_A_WORD) return undefined;
    return `the machine was not ours alone: other processes took ${Math.round(share * 100)} % of its cores meanwhile`;
  };
}
