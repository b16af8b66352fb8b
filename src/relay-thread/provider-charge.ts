import { objectOf, parseObject, stringOf } from '../codec/json-value.ts';
import { GatewayError } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import type { Operation } from '../inference/operation.ts';
import type { ServedAs } from '../inference/served-as.ts';
import { addCounts, mergeUsage, type Usage } from '../inference/usage.ts';
import type { ProviderAccount, Target, Wire } from '../providers/provider.ts';
import type { ProviderBatch, ProviderResult, ReadBatches } from '../providers/provider-batches.ts';
import { anyTarget } from '../proxy/asked-steps.ts';
import type { Price } from '../usage/price-table.ts';
import type { BatchRows } from './batch-rows.ts';
import type { ProviderRequests } from './provider-requests.ts';

/** By the kind of object that an answer says it is. */
const OPERATIONS: Readonly<Record<string, Operation>> = {
  'chat.completion': 'chat',
  message: 'messages',
  text_completion: 'completion',
  response: 'responses',
  list: 'embedding',
};

export interface ProviderCharge {
  readonly account: ProviderAccount;
  readonly form: ReadBatches;
  readonly batch: ProviderBatch;
  readonly requests: ProviderRequests;
  readonly rows: BatchRows;
  readonly log: Log;
  readonly price: (target: Target) => Price;
}

/** What requests to one model used that are priced by the same rates. */
interface Used {
  readonly model: string;
  readonly target: Target | undefined;
  /** From so many of each request on these rates hold. */
  readonly inputTokens: number;
  readonly usage: Usage;
  requests: number;
}

/**
 * Reads the results of a batch for what they used, and charges that at the price of batches: one record a model and step of its price. It is
 * done once, whoever asks and by way of whichever gateway; where it fails, whoever asks next does it.
 */
export async function chargeOnce(charge: ProviderCharge): Promise<GatewayError | undefined> {
  const { account, batch, rows } = charge;
  if (batch.results.length === 0) return undefined;
  const isOurs = await rows.beginCharge(account.name, batch.id);
  if (isOurs instanceof GatewayError) return isOurs;
  if (!isOurs) return undefined;
  const used = await usageOf(charge);
  if (used instanceof GatewayError) {
    await rows.endCharge(account.name, batch.id, false);
    return used;
  }
  // First: who is killed in between charges nothing, and never twice.
  await rows.endCharge(account.name, batch.id, true);
  let charged = 0;
  for (const part of used) {
    const error = await bill(charge, part);
    if (error === undefined) charged += 1;
    else if (charged === 0) {
      await rows.endCharge(account.name, batch.id, false);
      return error;
    } else
      charge.log.error(
        { batch: batch.id, model: part.model, error: error.message },
        'a part of a batch was not charged',
      );
  }
  return undefined;
}

async function usageOf({ account, form, batch, requests, price }: ProviderCharge): Promise<Used[] | GatewayError> {
  const targets = new Map<string, Target | undefined>();
  const used = new Map<string, Used>();
  for (const results of batch.results) {
    const error = await requests.results(results, form, (line) => {
      const object = parseObject(line.toString());
      const result = object && form.result(object);
      const told = result && usageIn(result, account);
      if (told === undefined) return true;
      // What one line says that is no count must not spoil the sum of all.
      const usage: Usage = {};
      mergeUsage(usage, told);
      const model = result?.model ?? stringOf(result?.answer?.['model']) ?? '';
      if (!targets.has(model)) targets.set(model, targetOf(account, model));
      const target = targets.get(model);
      const inputTokens = target === undefined ? 0 : price(target).bandFrom(usage.inputTokens);
      const servedAs: ServedAs = { ...usage.servedAs, serviceTier: 'batch' };
      const key = JSON.stringify([model, inputTokens, servedAs]);
      let part = used.get(key);
      if (part === undefined) {
        part = { model, target, inputTokens, usage: { servedAs }, requests: 0 };
        used.set(key, part);
      }
      addCounts(part.usage, usage);
      part.requests += 1;
      return true;
    });
    if (error) return error;
  }
  return [...used.values()];
}

function usageIn({ answer, usage = answer?.['usage'] }: ProviderResult, account: ProviderAccount): Usage | undefined {
  if (answer === undefined) return undefined;
  const operation = OPERATIONS[stringOf(answer['object']) ?? stringOf(answer['type']) ?? ''] ?? 'chat';
  return wireOf(account, operation)?.toUsage(objectOf(usage), answer);
}

function wireOf(account: ProviderAccount, operation: Operation): Wire | undefined {
  const mounts = anyTarget(account)?.mounts;
  return (mounts?.get(operation) ?? mounts?.get('chat'))?.[0]?.wire;
}

/** The batch is shown once more: its record is the one that says what it cost. */
async function bill({ form, batch, requests }: ProviderCharge, billed: Used): Promise<GatewayError | undefined> {
  const path = `${form.path}/${encodeURIComponent(batch.id)}`;
  const answer = await requests.batch({ method: 'GET', path, billed }, form);
  return answer instanceof GatewayError ? answer : undefined;
}

/** Answers name a dated form of the model that was asked. Undefined: the account lists none of this name. */
export function targetOf(account: ProviderAccount, model: string): Target | undefined {
  if (model === '') return undefined;
  const exact = account.target(model) ?? account.listed.find(({ modelId }) => modelId === model);
  if (exact !== undefined) return exact;
  const dated = account.listed.filter(({ modelId }) => model.startsWith(`${modelId}-`));
  return dated.sort((one, other) => other.modelId.length - one.modelId.length)[0];
}
