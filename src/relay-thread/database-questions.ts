/** Questions of one thread and kind that wait for their answers; further ones are refused. */
const MAX_WAITING = 256;
/** Behind it the database counts as away. */
const ANSWER_MS = 5_000;

export interface DatabaseQuestionsOptions<Question, Answer> {
  send(number: number, question: Question): void;
  /** The answer in place of a database that gives none. */
  readonly away: Answer;
}

interface Waiting<Answer> {
  resolve(answer: Answer): void;
  onLate(answer: Answer): void;
  isLate: boolean;
}

const NOTHING = (): void => {};

/** What a relay thread asks of the thread that has the database: bounded in number and time. */
export class DatabaseQuestions<Question, Answer> {
  readonly #options: DatabaseQuestionsOptions<Question, Answer>;
  readonly #waiting = new Map<number, Waiting<Answer>>();
  /** A thread that follows a dead one must not take that one's answers for its own. */
  #number = Date.now() * 1_000;

  constructor(options: DatabaseQuestionsOptions<Question, Answer>) {
    this.#options = options;
  }

  /** `onLate`: called with an answer that comes after its question was answered with `away`. */
  ask(question: Question, onLate: (answer: Answer) => void = NOTHING): Promise<Answer> {
    const { away, send } = this.#options;
    if (this.#waiting.size >= MAX_WAITING) return Promise.resolve(away);
    this.#number += 1;
    const number = this.#number;
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        waiting.isLate = true;
        resolve(away);
      }, ANSWER_MS);
      const waiting: Waiting<Answer> = {
        resolve(answer) {
          clearTimeout(timer);
          resolve(answer);
        },
        onLate,
        isLate: false,
      };
      this.#waiting.set(number, waiting);
      send(number, question);
    });
  }

  hear(number: number, answer: Answer): void {
    const waiting = this.#waiting.get(number);
    this.#waiting.delete(number);
    if (waiting?.isLate) waiting.onLate(answer);
    else waiting?.resolve(answer);
  }
}
