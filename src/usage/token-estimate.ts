import type { Usage } from '../inference/usage.ts';
export async function estimateUsage(_: unknown): Promise<Usage | undefined> {
  return undefined;
}
export async function closeEstimates(): Promise<void> {}
