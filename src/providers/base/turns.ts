import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';
import type { Message, Part } from '../../inference/request.ts';

/** Neighbouring messages of one role. Results of calls must come first: moving each there would be quadratic. */
export interface Turn<Block> {
  readonly role: 'user' | 'assistant';
  readonly results: Block[];
  readonly others: Block[];
}

export interface Turns<Block> {
  /** Blocks of system and developer messages, wherever they stood. */
  readonly system: Block[];
  /** Roles alternate. */
  readonly turns: Turn<Block>[];
}

export interface BlockForm<Block> {
  /** Shown in the error of a conversation without a turn. */
  readonly provider: string;
  toBlocks(parts: readonly Part[]): OrError<Block[]>;
  isResult(block: Block): boolean;
}

/**
 * A conversation for a provider whose roles must alternate, and which reads system messages apart. So the results of
 * parallel calls stand together in the one message behind them:
 * https://platform.claude.com/docs/en/agents-and-tools/tool-use/implement-tool-use#parallel-tool-use
 */
export function turnsOf<Block>(source: readonly Message[], form: BlockForm<Block>): OrError<Turns<Block>> {
  const system: Block[] = [];
  const turns: Turn<Block>[] = [];
  for (const message of source) {
    const blocks = form.toBlocks(message.parts);
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
    for (const block of blocks) (form.isResult(block) ? turn.results : turn.others).push(block);
  }
  if (turns.length > 0) return { system, turns };
  return new GatewayError('unsupported_parameter', {
    param: 'messages',
    detail: `${form.provider} needs a message of the user or the assistant that is not empty.`,
  });
}

/** The content of a turn as the provider wants it. */
export function contentOf<Block>({ results, others }: Turn<Block>): Block[] {
  return [...results, ...others];
}
