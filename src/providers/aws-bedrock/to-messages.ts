import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';
import type { Message } from '../../inference/request.ts';
import { contentOf, type Turn, turnsOf } from '../base/turns.ts';
import { type Block, toBlocks } from './to-blocks.ts';

export interface Conversation {
  system: Block[];
  messages: { role: 'user' | 'assistant'; content: Block[] }[];
}

const FORM = { provider: 'Bedrock', toBlocks, isResult: (block: Block) => 'toolResult' in block };

/** System messages go into `system`, wherever they stood. */
export function toConversation(source: readonly Message[]): OrError<Conversation> {
  const conversation = turnsOf(source, FORM);
  if (conversation instanceof GatewayError) return conversation;
  const { system, turns } = conversation;
  trimEnd(turns.at(-1));
  for (const turn of turns) if (turn.role === 'user') explainDocument(turn.others);
  return { system, messages: turns.map((turn) => ({ role: turn.role, content: contentOf(turn) })) };
}

/** An answer that the client began may not end with blanks: the model goes on right behind it. */
function trimEnd(last: Turn<Block> | undefined): void {
  if (last?.role !== 'assistant') return;
  const blocks = last.others;
  const text = blocks.at(-1)?.['text'];
  if (typeof text === 'string') blocks[blocks.length - 1] = { text: text.trimEnd() };
}

/** Bedrock refuses a document without a text beside it. */
function explainDocument(blocks: Block[]): void {
  const hasDocument = blocks.some((block) => 'document' in block);
  if (hasDocument && !blocks.some((block) => 'text' in block)) blocks.push({ text: 'Document' });
}
