import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';
import type { Message } from '../../inference/request.ts';
import { contentOf, type Turn, turnsOf } from '../base/turns.ts';
import { type Block, toBlocks } from './to-blocks.ts';

export interface Conversation {
  system: Block[];
  messages: { role: 'user' | 'assistant'; content: Block[] }[];
}

const FORM = { provider: 'Anthropic', toBlocks, isResult: (block: Block) => block.type === 'tool_result' };

/** System messages go into `system`, wherever they stood: only the newest models take them in the middle. */
export function toConversation(source: readonly Message[]): OrError<Conversation> {
  const conversation = turnsOf(source, FORM);
  if (conversation instanceof GatewayError) return conversation;
  const { system, turns } = conversation;
  trimEnd(turns.at(-1));
  return { system, messages: turns.map((turn) => ({ role: turn.role, content: contentOf(turn) })) };
}

/** An answer that the client began may not end with blanks: the model goes on right behind it. */
function trimEnd(last: Turn<Block> | undefined): void {
  if (last?.role !== 'assistant') return;
  const block = last.others.at(-1);
  if (block?.type === 'text') block['text'] = String(block['text']).trimEnd();
}
