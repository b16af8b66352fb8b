/** What a scenario is, and what it hands to the table. */
import type { Driver } from './driver/driver.ts';
import type { Mock } from './mock.ts';
import type { Subject } from './peers/peer.ts';
import type { Settings } from './settings.ts';

/**
 * What a figure stands on, and so what voids it: 'timing' needs a driver that was not the bottleneck, 'cpu' a job long
 * enough to be counted in ticks, 'count' neither.
 */
export type Basis = 'timing' | 'cpu' | 'count';

export type Column = {
  /** Key in the JSON, with its unit: `latencyP99Us`. */
  key: string;
  /** Heading in the table, with its unit. */
  title: string;
  digits: number;
  basis: Basis;
};

/** 'all' when errors or wrong counts make every figure meaningless. */
export type Void = { scope: 'all' | 'timing' | 'cpu'; reason: string };

export type Round = { figures: Record<string, number>; voids: Void[]; notes?: string[] };

export type Bench = {
  mock: Mock;
  direct: Subject;
  driver: Driver;
  /** A second driver process, for neighbours: the noise must not run in the process that measures. */
  neighbour: Driver;
  settings: Settings;
  /** Body length of the mock's answer to a model, without usage event. */
  bodyBytes(model: string, stream: boolean): Promise<number>;
};

export type Scenario = {
  name: string;
  /** One line for `list`. */
  summary: string;
  /** Mock models that this run uses; Sluice is configured with them. */
  models(settings: Settings): string[];
  columns: Column[];
  /** Unless --rounds says otherwise. */
  rounds: number;
  /** Figure whose ratio to nginx and Portkey is shown, if there is one. */
  costKey?: string;
  /** Subjects it makes no sense for, with the reason. */
  unfit?(subject: Subject): string | undefined;
  /** Before the first round, on a fresh subject. */
  warmUp?(bench: Bench, subject: Subject): Promise<void>;
  /** One measurement of one subject, bounded in count and time. */
  round(bench: Bench, subject: Subject): Promise<Round>;
};

export function timing(key: string, title: string, digits = 0): Column {
  return { key, title, digits, basis: 'timing' };
}

export function cpu(key: string, title: string, digits = 0): Column {
  return { key, title, digits, basis: 'cpu' };
}

export function count(key: string, title: string, digits = 0): Column {
  return { key, title, digits, basis: 'count' };
}
