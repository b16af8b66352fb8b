import { parseExact } from '../../codec/exact-json.ts';
import type { SpliceEdits } from '../dialect.ts';
import { type Edit, editedBody, quoted } from '../openai-json/edited-body.ts';
import { developerEdits } from './developer-messages.ts';
import type { PeekedChat } from './peek.ts';

const ASK_USAGE = Buffer.from(',"stream_options":{"include_usage":true}');

/** The body for a provider that speaks this dialect. The pieces of a large body refer to `body`. */
export function splice(body: Buffer, peeked: PeekedChat, asked: SpliceEdits): Buffer | Buffer[] {
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
  return editedBody(body, edits);
}

function askingForUsage(body: Buffer, peeked: PeekedChat): Edit {
  const { modelEnd, streamOptionsStart: start, streamOptionsEnd: end } = peeked;
  if (start < 0) return { start: modelEnd, end: modelEnd, bytes: ASK_USAGE };
  const options: unknown = parseExact(body.toString('utf8', start, end));
  return { start, end, bytes: Buffer.from(JSON.stringify({ ...(options as object | null), include_usage: true })) };
}
