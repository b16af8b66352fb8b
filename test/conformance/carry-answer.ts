import type { ApiForm } from '../../src/dialects/dialect.ts';
import type { Wire } from '../../src/providers/provider.ts';
import { StreamPassthrough, type StreamPassthroughOptions } from '../../src/relay/stream-passthrough.ts';
import { WholePassthrough } from '../../src/relay/whole-passthrough.ts';
import { UsageMeter } from '../../src/usage/usage-meter.ts';
import { heldMemory } from '../support/held-memory.ts';
import { exampleTarget } from '../support/targets.ts';
import { FakeRelayHost } from '../unit/relay/fake-relay-host.ts';

/** Passes an answer that its client and its provider speak alike: nothing of it is translated. */
export function carryAnswer(
  wire: Wire,
  form: ApiForm['answers'] & StreamPassthroughOptions['form'],
  kind: 'sse' | 'json',
  chunks: Iterable<Buffer>,
  end: 'ended' | 'open' = 'ended',
) {
  const host = new FakeRelayHost();
  const meter = new UsageMeter();
  const shared = { host, meter, wire, target: exampleTarget, form, holdBytes: 65_536 };
  const mode =
    kind === 'json'
      ? new WholePassthrough({ ...shared, contentType: 'application/json', endsWithConnection: false })
      : new StreamPassthrough({
          ...shared,
          expected: { choices: 1, usageEvent: 'keep' },
          memory: heldMemory(),
          contentType: 'text/event-stream',
          maxEventBytes: 1_048_576,
        });
  for (const chunk of chunks) mode.chunk(chunk);
  if (end === 'ended') mode.ended();
  return { host, meter };
}
