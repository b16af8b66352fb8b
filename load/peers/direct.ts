/** The mock itself: what is left of a figure when nobody stands in between. */
import type { Peer } from './peer.ts';

export const direct: Peer = {
  name: 'direct',
  summary: 'the mock provider without anything in between',
  start: async ({ mockUrl }) => ({
    name: 'direct',
    baseUrl: `${mockUrl}/v1`,
    pid: undefined,
    headers: { authorization: 'Bearer sk-load' },
    modelName: (mockModel) => mockModel,
    relaysBytes: true,
    checksKeys: false,
    notes: [],
  }),
};
