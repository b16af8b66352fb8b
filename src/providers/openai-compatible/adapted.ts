import { JsonPeek } from '../../codec/json-peek.ts';
import { type Edit, KeyRules, type RuleFault } from '../../codec/key-rules.ts';
import { PeekKeys } from '../../codec/peek-keys.ts';
import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';
import type { Target } from '../provider.ts';

const keys = new PeekKeys(['messages', 'stream_options']);
const MESSAGES = 0;
const STREAM_OPTIONS = 1;
const NOTHING = Buffer.alloc(0);
const REASONING = Buffer.from('"reasoning_content"');
/** A host of which nobody knows in what key it takes earlier reasoning gets none. */
const NO_REASONING = new KeyRules([{ key: 'reasoning_content', drop: 'all' }]);

/** A chat that was translated, with what the host of the target takes otherwise: as one that is passed through. */
export function adapted(body: Buffer, { rules, abilities }: Target): OrError<Buffer> {
  const withReasoning = rules?.takesReasoning !== true && body.indexOf(REASONING) >= 0;
  if (rules === undefined && abilities.usageInStream && !withReasoning) return body;
  const peek = new JsonPeek(keys);
  peek.advance(body, body.length);
  const start = peek.starts[MESSAGES]!;
  const end = peek.ends[MESSAGES]!;
  const edits: Edit[] = [];
  const found = [
    rules?.parameters?.ofBody(body, start, end) ?? [],
    (withReasoning ? NO_REASONING : rules?.messages)?.ofObjects(body, start, end) ?? [],
  ];
  for (const each of found) {
    if (!Array.isArray(each)) return refused(each);
    for (const edit of each) edits.push(edit);
  }
  const asked = peek.starts[STREAM_OPTIONS]!;
  // It never stands last: `stream` and the model are written before it, the messages too.
  if (!abilities.usageInStream && asked >= 0) edits.push(withoutPair(body, asked, peek.ends[STREAM_OPTIONS]!));
  edits.sort((one, other) => one.start - other.start);
  return edited(body, edits);
}

/** The pair with the comma in front of it. */
function withoutPair(body: Buffer, valueStart: number, end: number): Edit {
  return { start: body.lastIndexOf(',"stream_options"', valueStart), end, bytes: NOTHING };
}

function edited(body: Buffer, edits: readonly Edit[]): Buffer {
  const pieces: Buffer[] = [];
  let from = 0;
  for (const { start, end, bytes } of edits) {
    // Two rules about the same pair: the first has said what becomes of it.
    if (start < from) continue;
    pieces.push(body.subarray(from, start), bytes);
    from = end;
  }
  pieces.push(body.subarray(from));
  return Buffer.concat(pieces);
}

function refused(fault: RuleFault): GatewayError {
  if (fault.kind !== 'refused') return new GatewayError('internal_error', { cause: fault });
  return new GatewayError('unsupported_parameter', {
    param: fault.key,
    detail: `The host of this model takes no \`${fault.key}\`.`,
  });
}
