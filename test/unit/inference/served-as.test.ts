import assert from 'node:assert/strict';
import { test } from 'node:test';
import { servedAfter, servedAs, servedInTier } from '../../../src/inference/served-as.ts';

test('a tier is read the same whichever tiers answers before it told', () => {
  for (const tier of ['default', 'flex', 'flex', 'Priority', 'default', 'no name', 'flex']) {
    assert.deepEqual(servedInTier(tier), servedAs({ serviceTier: tier }), tier);
  }
});

test('the last tier that an answer tells holds, whatever it told before', () => {
  const flex = servedAs({ serviceTier: 'flex' })!;
  const usual = servedAs({ serviceTier: 'default' })!;
  for (const [later, holds] of [
    [flex, { serviceTier: 'flex' }],
    [usual, undefined],
    [flex, { serviceTier: 'flex' }],
  ] as const) {
    assert.deepEqual(servedAfter(undefined, later), holds);
  }
  assert.equal(servedAfter(flex, usual), undefined);
  assert.deepEqual(servedAfter(usual, flex), { serviceTier: 'flex' });
});
