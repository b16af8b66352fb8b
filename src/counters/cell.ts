import type { BudgetPeriod } from '../config/rules/counted-rules.ts';

export type CellWindow =
  /** Never more than the limit in any span of this length; counted in sixtieths of it. */
  | { readonly kind: 'sliding'; readonly ms: number }
  /** From one reset to the next, UTC. */
  | { readonly kind: 'calendar'; readonly period: BudgetPeriod }
  /** Reservations that are open now. */
  | { readonly kind: 'open' };

/**
 * One count: of one rule and one group (a user, a model, …). Made once and kept with what it belongs to, so that an
 * engine can keep its own address of it here and an exchange need not look it up.
 */
export class Cell {
  /** Unique; what Redis and the database know it by. Holds no secret. */
  readonly name: string;
  readonly window: CellWindow;
  /** Where this one is counted while an engine of bounded memory has no room for it: one for all groups of a rule. */
  readonly overflow: Cell | undefined;
  /** Where shared memory keeps it; owned by that engine. */
  high = 0;
  low = 0;
  place = -1;

  constructor(name: string, window: CellWindow, overflow?: Cell) {
    this.name = name;
    this.window = window;
    this.overflow = overflow;
  }
}

/**
 * Group values of one request, in the order of the rule's keys; empty where the rule counts everything together. With
 * the unit, so that a rule whose unit was changed begins anew instead of taking tokens for requests. `sameId`: how many
 * manifests before this one have a rule of that id. Not which manifest it is: with another one put before it everybody's
 * counts would begin anew.
 */
export function rateLimitCellName(sameId: number, ruleId: string, unit: string, group: string): string {
  return `rate/${sameId}/${ruleId}/${unit}/${group}`;
}

/** `unit` as written (`cost_per_day`): each limit of a budget is counted apart. The same in every engine and after a restart. */
export function budgetCellName(budgetId: string, unit: string, group: string): string {
  return `budget/${budgetId}/${unit}/${group}`;
}

/**
 * All groups of a rule that found no room, by the name of its group without a value. It is no group itself: clients
 * choose values, and who could name it would use up what all those others share.
 */
export function overflowCellName(withoutGroup: string): string {
  return `overflow/${withoutGroup}`;
}
