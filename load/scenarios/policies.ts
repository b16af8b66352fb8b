/** What rate limits, budgets and the ledger cost: the same requests through a gateway with all of them and with none. */
import type { Scenario } from '../scenario.ts';
import { chatWhole } from './chat-whole.ts';

export const policies: Scenario = {
  ...chatWhole,
  name: 'policies',
  summary: 'whole answers with ten rate rules, five budgets and the ledger on, against none (--peers sluice-plain)',
  rounds: 5,
};
