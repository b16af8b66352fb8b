import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';
import type { Message, Part } from '../../inference/request.ts';

/** Neighbouring messages of one role. Results of calls must come first: moving each there would be quadratic. */
export interface Turn<Block> {
  readonly role: 'user' | 'assistant';
  readonly results: Block[];
  readonly others: Block[];
  /** Blocks of system messages in the middle, where the provider takes them there: they stand behind this turn of the user's. */
  readonly system: Block[];
}

export interface Turns<Block> {
  /** Blocks of system and developer messages: those in front, or all, wherever they stood. */
  readonly system: Block[];
  /** Roles alternate. */
  readonly turns: Turn<Block>[];
}

export interface BlockForm<Block> {
  /** Shown in the error of a conversation without a turn. */
  readonly provider: string;
  toBlocks(parts: readonly Part[]): OrError<Block[]>;
  isResult(block: Block): boolean;
  /**
   * Whether system messages in the middle stay there, behind the turn of the user's that they stand in or before. In front they
   * would change what the provider's cache holds, and what newer models of Anthropic's bind their thinking to.
   */
  readonly systemInMessages?: boolean;
}

/**
 * A conversation for a provider whose roles must alternate, and which reads system messages apart. So the results of
 * parallel calls stand together in the one message behind them:
 * https://platform.claude.com/docs/en/agents-and-tools/tool-use/implement-tool-use#parallel-tool-use
 */
export function turnsOf<Block>(source: readonly Message[], form: BlockForm<Block>): OrError<Turns<Block>> {
  const system: Block[] = [];
  const turns: Turn<Block>[] = [];
  /** Blocks of system messages behind an answer, which wait for the turn of the user's. */
  let waiting: Block[] = [];
  for (const message of source) {
    const blocks = form.toBlocks(message.parts);
    if (blocks instanceof GatewayError) return blocks;
    if (blocks.length === 0) continue;
    let turn = turns.at(-1);
    if (message.role === 'system' || message.role === 'developer') {
      const inMiddle = form.systemInMessages === true && turn !== undefined;
      const place = !inMiddle ? system : turn?.role === 'user' ? turn.system : waiting;
      for (const block of blocks) place.push(block);
      continue;
    }
    const role = message.role === 'assistant' ? 'assistant' : 'user';
    if (turn?.role !== role) {
      turn = { role, results: [], others: [], system: role === 'user' ? waiting : [] };
      if (role === 'user') waiting = [];
      turns.push(turn);
    }
    for (const block of blocks) (form.isResult(block) ? turn.results : turn.others).push(block);
  }
  for (const block of waiting) system.push(block);
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
