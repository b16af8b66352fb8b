import type { JsonObject } from '../../codec/json-value.ts';
import { RpcError, UPSTREAM_ERROR } from '../protocol/json-rpc.ts';
import type { Call } from './peer.ts';

/** A server that does not say that it took a message holds up what follows it for so long, and no longer. */
const MAX_ORDER_MS = 1_000;

/** A call that is made after something was waited for, and that can be cancelled meanwhile. */
export function lateCall(begin: (cancelled: () => boolean) => Promise<Call>): Call {
  let inner: Call | undefined;
  let cancelled = false;
  const result = begin(() => cancelled).then((call) => {
    inner = call;
    if (cancelled) call.cancel();
    return call.result;
  });
  result.catch(() => undefined);
  return {
    result,
    cancel: () => {
      cancelled = true;
      inner?.cancel();
    },
  };
}

export function cancelledCall(): RpcError {
  return new RpcError(UPSTREAM_ERROR, 'The call was cancelled.');
}

/** What has not gone to the server by then does not go there. */
export function throwIfCancelled(cancelled: () => boolean): void {
  if (cancelled()) throw cancelledCall();
}

export function callOf(result: Promise<JsonObject>): Call {
  result.catch(() => undefined);
  return { result, cancel: () => undefined };
}

/** Whether it came within MAX_ORDER_MS. It must not reject. */
export function inTime(awaited: Promise<unknown>): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), MAX_ORDER_MS);
    awaited.then(() => {
      clearTimeout(timer);
      resolve(true);
    });
  });
}
