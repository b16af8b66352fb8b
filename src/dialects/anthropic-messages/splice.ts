import { parseExactObject } from '../../codec/exact-json.ts';
import type { Edit } from '../../codec/key-rules.ts';
import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';
import type { SpliceEdits } from '../dialect.ts';
import { editedBody, quoted } from '../openai-json/edited-body.ts';
import { peekError } from '../openai-json/request-scan.ts';
import { holdsForeign, withoutForeign } from './carried.ts';
import { MessagesScan, type PeekedMessages } from './peek.ts';

const OPEN_BRACE = 0x7b;

/** The body for a provider that speaks this form. The pieces of a large body refer to `body`. */
export function splice(body: Buffer, peeked: PeekedMessages, asked: SpliceEdits): OrError<Buffer | Buffer[]> {
  const { messagesStart, messagesEnd } = peeked;
  if (holdsForeign(body, messagesStart, messagesEnd)) return rewritten(body, asked);
  return spliced(body, peeked, asked);
}

/** A conversation that another vendor answered: rare, so it is parsed here and now. */
function rewritten(body: Buffer, asked: SpliceEdits): OrError<Buffer | Buffer[]> {
  const request = parseExactObject(body.toString('utf8'));
  // The scan checked strings and brackets only: finer faults show here.
  if (request === undefined) return new GatewayError('invalid_json');
  const own = Buffer.from(JSON.stringify(withoutForeign(request)));
  const scan = new MessagesScan();
  scan.advance(own, own.length);
  const peeked = scan.result(own);
  return peeked instanceof GatewayError ? peeked : spliced(own, peeked, asked);
}

function spliced(
  body: Buffer,
  { modelStart, modelEnd, messagesStart, messagesEnd }: PeekedMessages,
  { modelId, envelope }: SpliceEdits,
): OrError<Buffer | Buffer[]> {
  if (envelope === undefined) return editedBody(body, [{ start: modelStart, end: modelEnd, bytes: quoted(modelId) }]);
  const left = envelope.without.ofBody(body, messagesStart, messagesEnd);
  if (!Array.isArray(left)) {
    return left.kind === 'refused' ? new GatewayError('unsupported_parameter', { param: left.key }) : peekError(left);
  }
  const at = body.indexOf(OPEN_BRACE) + 1;
  const edits: Edit[] = [{ start: at, end: at, bytes: Buffer.from(`${envelope.pairs},`) }];
  for (const edit of left) edits.push(edit);
  return editedBody(body, edits);
}
