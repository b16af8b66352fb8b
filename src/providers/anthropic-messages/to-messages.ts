import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';
import type { Message } from '../../inference/request.ts';
import { type Block, toBlocks } from './to-blocks.ts';

export interface Conversation {
  system: Block[];
  messages: { role: 'user' | 'assistant'; content: Block[] }[];
}

/**
 * System and developer messages go into `system`, wherever they stood: only the newest models take them in the middle.
 * Everything else alternates between user and assistant; neighbours of one role become one message. So the results of
 * parallel calls stand together in the one message behind them, as Anthropic demands:
 * https://platform.claude.com/docs/en/agents-and-tools/tool-use/implement-tool-use#parallel-tool-use
 */
export function toConversation(source: readonly Message[]): OrError<Conversation> {
  const system: Block[] = [];
  const turns: Turn[] = [];
  for (const message of source) {
    const blocks = toBlocks(message.parts);
    if (blocks instanceof GatewayError) return blocks;
    if (blocks.length === 0) continue;
    if (message.role === 'system' || message.role === 'developer') {
      for (const block of blocks) system.push(block);
      continue;
    }
    const role = message.role === 'assistant' ? 'assistant' : 'user';
    let turn = turns.at(-1);
    if (turn?.role !== role) {
      turn = { role, results: [], others: [] };
      turns.push(turn);
    }
    for (const block of blocks) (block.type === 'tool_result' ? turn.results : turn.others).push(block);
  }
  trimEnd(turns.at(-1));
  if (turns.length > 0) {
    return { system, messages: turns.map(({ role, results, others }) => ({ role, content: [...results, ...others] })) };
  }
  return new GatewayError('unsupported_parameter', {
    param: 'messages',
    detail: 'Anthropic needs a message of the user or the assistant that is not empty.',
  });
}

/** An answer that the client began may not end with blanks: the model goes on right behind it. */
function trimEnd(last: Turn | undefined): void {
  if (last?.role !== 'assistant') return;
  const block = last.others.at(-1);
  if (block?.type === 'text') block['text'] = String(block['text']).trimEnd();
}

/** Tool results must be the first blocks of their message. Kept apart: moving each to its place would be quadratic. */
interface Turn {
  role: 'user' | 'assistant';
  results: Block[];
  others: Block[];
}
