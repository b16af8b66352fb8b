import { afterEach } from 'node:test';
import type { Limits } from '../../../src/config/server/limits.ts';
import { OriginPools } from '../../../src/upstream/origin-pools.ts';
import { type RawProvider, type RawRequestHandler, startRawProvider } from '../../support/raw-provider.ts';
import { limits, timeouts } from '../relay/local-provider.ts';

let opened: OriginPools[] = [];
const providers: RawProvider[] = [];
afterEach(async () => {
  for (const pools of opened) pools.destroy();
  opened = [];
  await Promise.all(providers.splice(0).map((provider) => provider[Symbol.asyncDispose]()));
});

/** Ended after the test, as the pools are. */
export async function provide(handle: RawRequestHandler): Promise<RawProvider> {
  const provider = await startRawProvider(handle);
  providers.push(provider);
  return provider;
}

export function pools(more: Partial<Limits> = {}): OriginPools {
  const made = new OriginPools({ ...limits, ...more }, timeouts);
  opened.push(made);
  return made;
}
