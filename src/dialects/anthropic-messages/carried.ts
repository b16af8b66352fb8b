import { scalarText } from '../../codec/exact-json.ts';
import { isArray, isObject, type JsonObject } from '../../codec/json-value.ts';
import { CARRIED_MARK, carryInId, plainSignature, splitCarryingId } from '../../inference/signature.ts';

/*
 * What a client of this form holds of other vendors' answers. Anthropic's own signatures are plain; those of others, and
 * thoughts that nobody signed, say in their signature that they are not, since Anthropic refuses what it did not sign.
 */

/** No base64 holds a `.`: nothing that Anthropic signed begins so. */
const FOREIGN = 'sluice.';
const UNSIGNED = `${FOREIGN}unsigned`;

/** A signature as a client of this form gets it. Undefined: nobody signed. */
export function toClientSignature(signature: string | undefined): string {
  if (signature === undefined) return UNSIGNED;
  return plainSignature(signature) ?? `${FOREIGN}${signature}`;
}

/** The same coming back. */
export function fromClientSignature(signature: string | undefined): string | undefined {
  if (!signature || signature === UNSIGNED) return undefined;
  return signature.startsWith(FOREIGN) ? signature.slice(FOREIGN.length) : signature;
}

/** How ids of Anthropic's own calls begin. */
const OWN_CALL = /^(srv)?toolu_/;

/**
 * The id of a call as a client of this form gets it, with its signature or an empty mark behind it: so it is seen, when the
 * conversation goes to Anthropic, that another vendor made it, perhaps without a thought.
 */
export function toClientCallId(id: string, signature: string | undefined): string {
  if (signature !== undefined) return carryInId(id, signature);
  return OWN_CALL.test(id) ? id : `${id}${CARRIED_MARK}`;
}

/** The same coming back. */
export function fromClientCallId(carrying: string): { id: string; signature?: string } {
  const { id, signature } = splitCarryingId(carrying);
  return signature ? { id, signature } : { id };
}

/** As Anthropic takes it; an id of another vendor may hold anything. */
function ownCallId(carrying: string): string {
  const { id } = splitCarryingId(carrying);
  return id.replace(/[^a-zA-Z0-9_-]/g, '_').slice(-64);
}

const MARKS = [Buffer.from(`"${FOREIGN}`), Buffer.from(CARRIED_MARK)];

/** Whether the messages at body[start, end) may hold anything of another vendor's: two native searches. */
export function holdsForeign(body: Buffer, start: number, end: number): boolean {
  return MARKS.some((mark) => {
    const at = body.indexOf(mark, start);
    return at >= 0 && at < end;
  });
}

/**
 * The request as Anthropic takes it: without the thoughts of others, with ids that carry nothing. Thinking with a budget
 * is left out where a tool loop has lost the thought that it began with: Anthropic would refuse the whole conversation.
 */
export function withoutForeign(request: JsonObject): JsonObject {
  const messages = isArray(request['messages']) ? request['messages'].map(ownMessage) : request['messages'];
  const { thinking, ...others } = request;
  const isBudget = isObject(thinking) && thinking['type'] === 'enabled';
  if (thinking === undefined || (isBudget && isArray(messages) && lacksThinking(messages)))
    return { ...others, messages };
  return { ...request, messages };
}

function ownMessage(message: unknown): unknown {
  if (!isObject(message) || !isArray(message['content'])) return message;
  const content = message['content'].filter((block) => !isForeignThought(block)).map(ownBlock);
  // A message may not be empty.
  return {
    ...message,
    content: content.length > 0 ? content : [{ type: 'text', text: '(thoughts of another model)' }],
  };
}

function isForeignThought(block: unknown): boolean {
  if (!isObject(block) || block['type'] !== 'thinking') return false;
  const { signature } = block;
  return typeof signature === 'string' && signature.startsWith(FOREIGN);
}

function ownBlock(block: unknown): unknown {
  if (!isObject(block)) return block;
  const { id, tool_use_id: callId } = block;
  if (block['type'] === 'tool_use' && typeof id === 'string') return { ...block, id: ownCallId(id) };
  if (block['type'] === 'tool_result' && typeof callId === 'string')
    return { ...block, tool_use_id: ownCallId(callId) };
  return block;
}

/** The assistant's last turn is amid a tool loop, and does not begin with a thought. */
function lacksThinking(messages: readonly unknown[]): boolean {
  for (let index = messages.length - 1; index >= 0; index -= 1) {
    const message = messages[index];
    if (!isObject(message) || !isArray(message['content'])) return false;
    const blocks = message['content'].filter(isObject);
    if (message['role'] === 'assistant')
      return blocks.some(({ type }) => type === 'tool_use') && !/thinking$/.test(scalarText(blocks[0]?.['type']) ?? '');
    if (!blocks.some(({ type }) => type === 'tool_result')) return false;
  }
  return false;
}
