import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { findSubjects, loadSubject } from '../../../bench/harness/find-subjects.ts';

const folder = fileURLToPath(new URL('../../../bench', import.meta.url));
const names = findSubjects(folder);

test('every costly step of an exchange has a bench', () => {
  const needed = [
    'codec/json-peek',
    'codec/sse-parser',
    'edge/response-head',
    'pipeline',
    'policy/key-check',
    'relay/stream-passthrough',
    'relay/stream-translation',
    'telemetry/record-encoding',
    'usage/price',
    'usage/usage-reading',
  ];
  assert.deepEqual(
    needed.filter((name) => !names.includes(name)),
    [],
  );
});

for (const name of names) {
  test(`each task of bench/${name} computes the right result on all of its inputs`, async () => {
    const subject = await loadSubject(folder, name);
    assert.ok(subject.tasks.length > 0);
    assert.equal(new Set(subject.tasks.map((task) => task.name)).size, subject.tasks.length, 'names are unique');
    subject.check();
  });
}
