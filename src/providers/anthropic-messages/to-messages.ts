import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';
import type { Message } from '../../inference/request.ts';
import { contentOf, type Turn, turnsOf } from '../base/turns.ts';
import type { ModelFamily } from './model-family.ts';
import { type Block, toBlocks } from './to-blocks.ts';

export interface Conversation {
  system: Block[];
  messages: { role: 'user' | 'assistant' | 'system'; content: Block[] }[];
}

const FORM = { provider: 'Anthropic', toBlocks, isResult: (block: Block) => block.type === 'tool_result' };

/** System messages go into `system`, wherever they stood, but for models that take them in the middle. */
export function toConversation(
  source: readonly Message[],
  { systemInMessages }: Pick<ModelFamily, 'systemInMessages'>,
): OrError<Conversation> {
  const conversation = turnsOf(source, { ...FORM, systemInMessages });
  if (conversation instanceof GatewayError) return conversation;
  const { system, turns } = conversation;
  trimEnd(turns.at(-1));
  const messages: Conversation['messages'] = [];
  for (const turn of turns) {
    messages.push({ role: turn.role, content: contentOf(turn) });
    if (turn.system.length > 0) messages.push({ role: 'system', content: turn.system });
  }
  return { system, messages };
}

/** An answer that the client began may not end with blanks: the model goes on right behind it. */
function trimEnd(last: Turn<Block> | undefined): void {
  if (last?.role !== 'assistant') return;
  const block = last.others.at(-1);
  if (block?.type === 'text') block['text'] = String(block['text']).trimEnd();
}
