import { parseExact } from '../../codec/exact-json.ts';
import type { Edit, RuleFault } from '../../codec/key-rules.ts';
import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';
import type { BodyRules, PeekedRequest, SpliceEdits } from '../dialect.ts';
import { developerEdits } from './developer-messages.ts';
import { peekError } from './peek.ts';

const ASK_USAGE = Buffer.from(',"stream_options":{"include_usage":true}');
/** Larger bodies are handed on in pieces instead of being copied: 20 MB would stop the loop for milliseconds. */
const COPY_AT_MOST = 65_536;

/** The body for a provider that speaks this dialect. The pieces of a large body refer to `body`. */
export function splice(body: Buffer, peeked: PeekedRequest, asked: SpliceEdits): OrError<Buffer | Buffer[]> {
  const edits: Edit[] = [{ start: peeked.modelStart, end: peeked.modelEnd, bytes: quoted(asked.modelId) }];
  if (asked.askUsage) {
    const edit = askingForUsage(body, peeked);
    if (edit.start < peeked.modelStart) edits.unshift(edit);
    else edits.push(edit);
  }
  if (asked.developerAsSystem) {
    const roles = developerEdits(body, peeked.messagesStart, peeked.messagesEnd);
    if (roles.length > 0) {
      for (const role of roles) edits.push(role);
      edits.sort((one, other) => one.start - other.start);
    }
  }
  if (asked.rules !== undefined) {
    const fault = addRules(body, peeked, asked.rules, edits);
    if (fault) return fault;
  }
  return body.length > COPY_AT_MOST ? pieces(body, edits) : copied(body, edits);
}

/** What the rules of a host change; none of it lies within the other edits, but for a parameter that is asked for anew. */
function addRules(body: Buffer, peeked: PeekedRequest, rules: BodyRules, edits: Edit[]): GatewayError | undefined {
  const { messagesStart: start, messagesEnd: end } = peeked;
  const found = [rules.parameters?.ofBody(body, start, end) ?? [], rules.messages?.ofObjects(body, start, end) ?? []];
  for (const each of found) {
    if (!Array.isArray(each)) return ruleError(each);
    for (const edit of each) edits.push(edit);
  }
  edits.sort((one, other) => one.start - other.start);
  for (let at = edits.length - 1; at > 0; at -= 1) {
    if (edits[at]!.start < edits[at - 1]!.end) edits.splice(at, 1);
  }
  return undefined;
}

function ruleError(fault: RuleFault): GatewayError {
  if (fault.kind !== 'refused') return peekError(fault);
  return new GatewayError('unsupported_parameter', {
    param: fault.key,
    detail: `The host of this model takes no \`${fault.key}\`.`,
  });
}

function askingForUsage(body: Buffer, peeked: PeekedRequest): Edit {
  const { modelEnd, streamOptionsStart: start, streamOptionsEnd: end } = peeked;
  if (start < 0) return { start: modelEnd, end: modelEnd, bytes: ASK_USAGE };
  const options: unknown = parseExact(body.toString('utf8', start, end));
  return { start, end, bytes: Buffer.from(JSON.stringify({ ...(options as object | null), include_usage: true })) };
}

const quotedIds = new Map<string, Buffer>();
const MAX_QUOTED = 1_000;

/** The id as a JSON string; few ids are asked for again and again. */
function quoted(modelId: string): Buffer {
  let bytes = quotedIds.get(modelId);
  if (bytes === undefined) {
    bytes = Buffer.from(JSON.stringify(modelId));
    if (quotedIds.size >= MAX_QUOTED) quotedIds.clear();
    quotedIds.set(modelId, bytes);
  }
  return bytes;
}

function copied(body: Buffer, edits: readonly Edit[]): Buffer {
  let length = body.length;
  for (const edit of edits) length += edit.bytes.length - (edit.end - edit.start);
  const out = Buffer.allocUnsafe(length);
  let from = 0;
  let to = 0;
  for (const edit of edits) {
    to += body.copy(out, to, from, edit.start);
    to += edit.bytes.copy(out, to);
    from = edit.end;
  }
  body.copy(out, to, from);
  return out;
}

function pieces(body: Buffer, edits: readonly Edit[]): Buffer[] {
  const out: Buffer[] = [];
  let from = 0;
  for (const edit of edits) {
    if (edit.start > from) out.push(body.subarray(from, edit.start));
    out.push(edit.bytes);
    from = edit.end;
  }
  out.push(body.subarray(from));
  return out;
}
