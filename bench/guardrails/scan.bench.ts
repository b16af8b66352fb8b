/**
 * Local guards on a whole text, and what another thread would cost instead: the copies there and back. What waits for an
 * event loop meanwhile is the first; `offload_characters` is where it is long beside the second.
 */
import assert from 'node:assert/strict';
import type { GuardConfig } from '../../src/config/guardrails/guardrails.ts';
import type { ScanJob } from '../../src/guardrails/elsewhere.ts';
import { scanTexts } from '../../src/guardrails/scan-elsewhere.ts';
import { type BenchTask, subjectOf, task } from '../harness/subject.ts';

const SECRET = `ghp_${'a1B2'.repeat(9)}`;
const PROSE = 'It was in 1984 that 12 of them met at 10:30, near the old bridge; "nobody" (she said) knew why. ';

/** Prose of so many characters with a secret at its end. */
function prose(characters: number): string {
  return `${PROSE.repeat(Math.ceil(characters / PROSE.length)).slice(0, characters - SECRET.length - 2)} ${SECRET}\n`;
}

const SIZES = [4_096, 16_384, 65_536, 262_144];

export const inputs = { texts: SIZES.map(prose) };

const guard = (more: Pick<GuardConfig, 'kind'> & Partial<GuardConfig>): GuardConfig => ({
  name: `g/${more.kind}`,
  operation: 'mutate',
  priority: 0,
  strategy: 'enforce',
  config: {},
  ...more,
});
const SECRETS = [guard({ kind: 'secret-detection' })];
const ALL = [...SECRETS, guard({ kind: 'tfy-pii', config: { pii_categories: ['*'] } })];

export const subject = subjectOf(
  inputs.texts.flatMap((text) => [
    scan('secrets', SECRETS, text),
    scan('secrets and personal data', ALL, text),
    copies(ALL, text),
  ]),
);

function scan(name: string, guards: readonly GuardConfig[], text: string): BenchTask {
  const job: ScanJob = { sets: [guards], texts: [{ text, kind: 'text' }] };
  return task({
    name: `${name}, ${text.length / 1_024} KiB`,
    bytes: text.length,
    run: () => scanTexts(job),
    check: (answer) => {
      const found = answer[0]![0]!.find(({ text: said }) => said === SECRET);
      assert.equal(found?.end, text.length - 1);
    },
  });
}

function copies(guards: readonly GuardConfig[], text: string): BenchTask {
  const job: ScanJob = { sets: [guards], texts: [{ text, kind: 'text' }] };
  return task({
    name: `copy to another thread, ${text.length / 1_024} KiB`,
    bytes: text.length,
    run: () => structuredClone(job),
    check: (copy) => assert.deepEqual(copy, job),
  });
}
