import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GatewayError } from '../../../src/core/errors.ts';
import {
  type Admission,
  type AdmissionOutcome,
  type AdmissionRequest,
  type Limits,
  NOTHING_HELD,
  Refused,
} from '../../../src/limits/admission.ts';
import { type AskedOfAny, askedOf, StepAdmissions } from '../../../src/limits/step-admissions.ts';
import { stepAt } from '../../../src/routing/route-plan.ts';
import { exampleTarget } from '../../support/targets.ts';

const stepTo = (account: string, params?: Record<string, unknown>) =>
  stepAt({ ...exampleTarget, id: `${account}/m`, account }, params && { overrides: { params, headers: undefined } });
const [a, b, c] = [stepTo('a'), stepTo('b'), stepTo('c')];

const asked = {
  model: 'group/model',
  slug: 'short',
  bodyBytes: 10,
  maxOutputTokens: 100,
  choices: 1,
  stream: true,
  downgradedBy: undefined,
  metadata: {},
} as unknown as AskedOfAny;

/** Limits that write down who is held and how it was settled. */
function counted(refuses: readonly string[] = [], later = false) {
  const held = new Set<string>();
  const outcomes: string[] = [];
  const admit = ({ target }: AdmissionRequest): Admission | Refused => {
    const id = target?.id ?? '';
    if (refuses.includes(id)) return new Refused(new GatewayError('rate_limited'));
    held.add(id);
    return {
      ...NOTHING_HELD,
      rulesJson: id,
      settle: ({ dispatched }: AdmissionOutcome) => {
        held.delete(id);
        outcomes.push(`${id} ${dispatched}`);
      },
    };
  };
  const limits: Limits = { admit: (request) => (later ? Promise.resolve(admit(request)) : admit(request)) };
  const admissions = new StepAdmissions(
    limits,
    (step: typeof a) => askedOf(step, asked),
    a,
    admit(askedOf(a, asked)) as Admission,
  );
  return { admissions, held, outcomes };
}

test('a rule may name a request by its model, its slug and its target, and an override of its length is forecast', () => {
  const request = askedOf(stepTo('a', { max_completion_tokens: 7 }), asked);
  assert.deepEqual([request.model, request.names, request.maxOutputTokens], ['group/model', ['short', 'a/m'], 7]);
  assert.equal(askedOf(a, asked).maxOutputTokens, 100);
});

test('another target takes the place of the one that failed, which is given back as if it had not been asked', () => {
  const { admissions, held, outcomes } = counted();
  assert.equal(admissions.replace(a, b), undefined);
  assert.deepEqual([[...held], outcomes], [['b/m'], ['a/m false']]);
  assert.equal(admissions.close(b).rulesJson, 'b/m');
});

test('a target that a rule refuses leaves the first held, so that its request counts', async () => {
  for (const later of [false, true]) {
    const { admissions, held } = counted(['b/m'], later);
    const answer = await admissions.replace(a, b);
    assert.ok(answer instanceof GatewayError);
    assert.deepEqual([...held], ['a/m']);
  }
});

test('one of two that are held beside each other is settled for both, the other is given back', () => {
  const { admissions, held, outcomes } = counted();
  admissions.add(b);
  assert.deepEqual([...held], ['a/m', 'b/m']);
  admissions.close(b).settle({ dispatched: true, usage: undefined, costNanoUsd: 1, endedAtMs: 0 });
  assert.deepEqual([[...held], outcomes.sort()], [[], ['a/m false', 'b/m true']]);
});

test('a reservation that is made after the exchange is over is given back at once', async () => {
  const { admissions, held } = counted([], true);
  const answer = admissions.add(c);
  admissions.close(a).settle({ dispatched: true, usage: undefined, costNanoUsd: 1, endedAtMs: 0 });
  await answer;
  assert.deepEqual([...held], []);
});

test('a client that leaves while limits are asked for another target is counted for the one that failed', async () => {
  const outcome = { dispatched: true, usage: undefined, costNanoUsd: undefined, endedAtMs: 0 };
  for (const refuses of [[], ['b/m']]) {
    for (const settledLate of [false, true]) {
      const { admissions, held, outcomes } = counted(refuses, true);
      const answer = admissions.replace(a, b);
      const admission = admissions.close(a);
      assert.equal(admission.rulesJson, 'a/m');
      if (!settledLate) admission.settle(outcome);
      await answer;
      if (settledLate) admission.settle(outcome);
      admission.settle(outcome);
      await new Promise((resolve) => setImmediate(resolve));
      assert.deepEqual([...held], []);
      assert.deepEqual(
        outcomes.filter((each) => each.endsWith('true')),
        ['a/m true'],
      );
    }
  }
});
