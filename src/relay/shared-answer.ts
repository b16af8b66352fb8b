/** Other exchanges that get the answer of this one while it comes. */
export interface SharedAnswer {
  /** Somebody does. */
  readonly isJoined: boolean;
  /** The relay that asks for it: set when it begins. */
  leader: SharedAnswerLeader | undefined;
}

export interface SharedAnswerLeader {
  /** One more wants the answer. */
  joined(): void;
  /** The last one has left. */
  unjoined(): void;
}
