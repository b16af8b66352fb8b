import type { Edit, RuleFault } from '../../codec/key-rules.ts';
import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';
import type { BodyRules, SpliceEdits } from '../dialect.ts';
import { editedBody } from '../openai-json/edited-body.ts';
import { peekError } from '../openai-json/request-scan.ts';
import { streamedEdits } from '../openai-json/streamed-edits.ts';
import { carriedSignatureEdits } from './carried-signatures.ts';
import { developerEdits } from './developer-messages.ts';
import { longCallIdEdits } from './long-call-ids.ts';
import type { PeekedChat } from './peek.ts';

/** The body for a provider that speaks this dialect. The pieces of a large body refer to `body`. */
export function splice(body: Buffer, peeked: PeekedChat, asked: SpliceEdits): OrError<Buffer | Buffer[]> {
  const edits = streamedEdits(body, peeked, asked);
  const { messagesStart, messagesEnd } = peeked;
  const { maxToolCallIdCharacters: maxId } = asked.rules ?? {};
  const inMessages = maxId === undefined ? [] : longCallIdEdits(body, messagesStart, messagesEnd, maxId);
  const isEdited = inMessages.length === 0 ? undefined : new Set(inMessages.map(({ end }) => end));
  for (const carried of carriedSignatureEdits(body, messagesStart, messagesEnd)) {
    if (isEdited?.has(carried.end) !== true) inMessages.push(carried);
  }
  if (asked.developerAsSystem) {
    for (const role of developerEdits(body, messagesStart, messagesEnd)) inMessages.push(role);
  }
  if (inMessages.length > 0) {
    for (const edit of inMessages) edits.push(edit);
    edits.sort((one, other) => one.start - other.start);
  }
  if (asked.rules !== undefined) {
    const fault = addRules(body, peeked, asked.rules, edits);
    if (fault) return fault;
  }
  return editedBody(body, edits);
}

/** What the rules of a host change; none of it lies within the other edits, but for a parameter that is asked for anew. */
function addRules(body: Buffer, peeked: PeekedChat, rules: BodyRules, edits: Edit[]): GatewayError | undefined {
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
