import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';
import type { Message } from '../../inference/request.ts';
import { type Block, toBlocks } from './to-blocks.ts';

export interface Conversation {
  system: Block[];
  messages: { role: 'user' | 'assistant'; content: Block[] }[];
}

/**
 * System and developer messages go into `system`, wherever they stood; everything else alternates between user and
 * assistant, and neighbours of one role become one message, the results of calls first.
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
    for (const block of blocks) ('toolResult' in block ? turn.results : turn.others).push(block);
  }
  const last = turns.at(-1);
  if (last === undefined) {
    return new GatewayError('unsupported_parameter', {
      param: 'messages',
      detail: 'Bedrock needs a message of the user or the assistant that is not empty.',
    });
  }
  if (last.role === 'assistant') trimEnd(last.others);
  for (const turn of turns) if (turn.role === 'user') explainDocument(turn.others);
  return { system, messages: turns.map(({ role, results, others }) => ({ role, content: [...results, ...others] })) };
}

interface Turn {
  role: 'user' | 'assistant';
  results: Block[];
  others: Block[];
}

/** An answer that the client began may not end with blanks: the model goes on right behind it. */
function trimEnd(blocks: Block[]): void {
  const text = blocks.at(-1)?.['text'];
  if (typeof text === 'string') blocks[blocks.length - 1] = { text: text.trimEnd() };
}

/** Bedrock refuses a document without a text beside it. */
function explainDocument(blocks: Block[]): void {
  const hasDocument = blocks.some((block) => 'document' in block);
  if (hasDocument && !blocks.some((block) => 'text' in block)) blocks.push({ text: 'Document' });
}
