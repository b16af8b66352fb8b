import { objectOf, stringOf } from '../../codec/json-value.ts';
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
  const names = new Set<string>();
  for (const turn of turns) {
    if (turn.role !== 'user') continue;
    explainDocument(turn.others);
    for (const blocks of [turn.results, turn.others]) nameApart(blocks, names);
  }
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

/** Bedrock refuses two documents of one name, and clients call all of theirs the same. */
function nameApart(blocks: Block[], names: Set<string>): void {
  for (const [at, block] of blocks.entries()) {
    const document = objectOf(block['document']);
    const name = stringOf(document?.['name']);
    if (name === undefined) continue;
    let apart = name;
    for (let count = 2; names.has(apart); count += 1) apart = `${name.slice(0, 190)} (${count})`;
    names.add(apart);
    if (apart !== name) blocks[at] = { document: { ...document, name: apart } };
  }
}
