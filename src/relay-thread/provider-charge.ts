import { objectOf, parseObject, stringOf } from '../codec/json-value.ts';
import { GatewayError } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import type { Operation } from '../inference/operation.ts';
import { addCounts, type Usage } from '../inference/usage.ts';
import type { ProviderAccount, Target, Wire } from '../providers/provider.ts';
import type { ProviderBatch, ProviderResult, ReadBatches } from '../providers/provider-batches.ts';
import { anyTarget } from '../proxy/asked-steps.ts';
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
}

/**
 * Reads the results of a batch for what they used, and charges that at the price of batches: one record a model. It is
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
  for (const [model, usage] of used) {
    const error = await bill(charge, model, usage);
    if (error === undefined) charged += 1;
    else if (charged === 0) {
      await rows.endCharge(account.name, batch.id, false);
      return error;
    } else charge.log.error({ batch: batch.id, model, error: error.message }, 'a part of a batch was not charged');
  }
  return undefined;
}

async function usageOf({ account, form, batch, requests }: ProviderCharge): Promise<Map<string, Usage> | GatewayError> {
  const used = new Map<string, Usage>();
  for (const results of batch.results) {
    const error = await requests.results(results, form, (line) => {
      const object = parseObject(line.toString());
      const result = object && form.result(object);
      const usage = result && usageIn(result, account);
      if (usage === undefined) return true;
      const model = result?.model ?? stringOf(result?.answer?.['model']) ?? '';
      const sum = used.get(model) ?? { servedAs: { serviceTier: 'batch' } };
      addCounts(sum, usage);
      used.set(model, sum);
      return true;
    });
    if (error) return error;
  }
  return used;
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
async function bill(
  { account, form, batch, requests }: ProviderCharge,
  model: string,
  usage: Usage,
): Promise<GatewayError | undefined> {
  const path = `${form.path}/${encodeURIComponent(batch.id)}`;
  const answer = await requests.batch(
    { method: 'GET', path, billed: { target: targetOf(account, model), usage } },
    form,
  );
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
