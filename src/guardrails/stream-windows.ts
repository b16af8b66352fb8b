import { GatewayError } from '../core/errors.ts';
import type { GuardQuestion } from './guard.ts';
import type { OutputGuarding } from './guarded-answer.ts';
import type { StreamChannel } from './held-event.ts';
import type { HookPlan } from './plan.ts';

/** Unless the settings say otherwise: some sentences, and one of them again. */
const WINDOW_CHARACTERS = 400;
const OVERLAP_CHARACTERS = 100;
/** A longer text is not remembered: where it is repeated, the service is asked once more. */
const MAX_BEFORE_CHARACTERS = 1_048_576;
const SENTENCE_END = /[.!?\u3002\uff01\uff1f\n]["')\]]?\s*$/;

export type WindowVerdict = (refused: GatewayError | undefined) => void;

/** Asks guards about a stream in windows, one after the other: each with the end of the one before. */
export class StreamWindows {
  readonly #guarding: OutputGuarding;
  readonly #plan: HookPlan;
  #isAsking = false;

  constructor(guarding: OutputGuarding, plan: HookPlan) {
    this.#guarding = guarding;
    this.#plan = plan;
  }

  get isAsking(): boolean {
    return this.#isAsking;
  }

  /**
   * `nothing`: all that was said was asked about. `wait`: a window is not full. `asked`: `verdict` is called once, later.
   * `atEnd`: what there is is the last window.
   */
  ask(
    channels: readonly StreamChannel[],
    atEnd: 'at the end' | 'goes on',
    verdict: WindowVerdict,
  ): 'nothing' | 'wait' | 'asked' {
    const { windowCharacters: least = WINDOW_CHARACTERS } = this.#guarding.session.settings;
    const open = channels.filter(({ said, asked }) => said.length > asked);
    const waiting = open.reduce((sum, { said, asked }) => sum + said.length - asked, 0);
    if (waiting === 0) return 'nothing';
    const isFull = waiting >= 2 * least || (waiting >= least && open.some(endsSentence));
    if (atEnd === 'goes on' && !isFull) return 'wait';
    this.#ask(open, verdict);
    return 'asked';
  }

  #ask(open: readonly StreamChannel[], verdict: WindowVerdict): void {
    const { session, request } = this.#guarding;
    const { overlapCharacters: overlap = OVERLAP_CHARACTERS } = session.settings;
    const texts = open.map(({ said, local }) => ({ text: said, kind: local.kind }));
    const content = texts.map(({ text }) => text).join('\n');
    const response = { choices: [{ index: 0, message: { role: 'assistant', content } }] };
    for (const channel of open) {
      const { said, before } = channel;
      const left = overlap === 0 ? said : said.slice(0, -overlap);
      const isLong = before === undefined || before.length + left.length > MAX_BEFORE_CHARACTERS;
      channel.before = isLong ? undefined : before + left;
      channel.said = overlap === 0 ? '' : said.slice(-overlap);
      channel.asked = channel.said.length;
    }
    this.#isAsking = true;
    const { exchange } = session;
    const question: GuardQuestion = { hook: 'llm-output', exchange, texts, request: request(), response };
    session.validate('llm-output', this.#plan.validators, question).then(
      (refused) => {
        this.#isAsking = false;
        verdict(refused);
      },
      (cause) => verdict(new GatewayError('internal_error', { cause })),
    );
  }
}

function endsSentence({ said }: StreamChannel): boolean {
  return SENTENCE_END.test(said.slice(-8));
}
