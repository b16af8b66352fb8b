import assert from 'node:assert/strict';
import { APIError } from 'openai';

/** Status and parameter of the refusal that OpenAI's SDK raises for this request. */
export async function sdkRefusal(asked: Promise<unknown>): Promise<[number | undefined, string | null | undefined]> {
  const error = await asked.then(
    () => assert.fail('it was answered'),
    (cause: unknown) => cause,
  );
  assert.ok(error instanceof APIError);
  return [error.status, error.param];
}
