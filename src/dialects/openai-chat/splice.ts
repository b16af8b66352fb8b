import type { SpliceEdits } from '../dialect.ts';
import { editedBody } from '../openai-json/edited-body.ts';
import { streamedEdits } from '../openai-json/streamed-edits.ts';
import { developerEdits } from './developer-messages.ts';
import type { PeekedChat } from './peek.ts';

/** The body for a provider that speaks this dialect. The pieces of a large body refer to `body`. */
export function splice(body: Buffer, peeked: PeekedChat, asked: SpliceEdits): Buffer | Buffer[] {
  const edits = streamedEdits(body, peeked, asked);
  if (asked.developerAsSystem) {
    const roles = developerEdits(body, peeked.messagesStart, peeked.messagesEnd);
    if (roles.length > 0) {
      for (const role of roles) edits.push(role);
      edits.sort((one, other) => one.start - other.start);
    }
  }
  return editedBody(body, edits);
}
