/** Where the bytes of files are, whatever is known of them beside. Each call may throw a BlobFault. */
export interface BlobStore {
  /** Begins a blob that nobody sees until `publish`. `id`: letters, digits, `-` and `_`, made by us. */
  create(id: string): BlobWriter;
  /** Undefined: there is none. */
  open(id: string): Promise<BlobReader | undefined>;
  /** Takes it out of sight before its row goes; a row that stays brings it back at the next start. */
  withdraw(id: string): Promise<void>;
  /** Ends what `withdraw` began. */
  remove(id: string): Promise<void>;
  /** Undoes what `withdraw` began. */
  restore(id: string): Promise<void>;
}

export interface BlobWriter {
  /** One at a time; the bytes are the writer's until it resolves. */
  write(bytes: Uint8Array): Promise<void>;
  /** At once, behind all that was given to `write` so far: for what must not wait in memory. */
  writeNow(bytes: Uint8Array): void;
  /** All of it lasts from here on, and a crash loses nothing of it. */
  seal(): Promise<void>;
  /** After `seal`, when its row is written. */
  publish(): Promise<void>;
  /** Nothing of it stays; also after a failure. Never throws. */
  discard(): Promise<void>;
}

export interface BlobReader {
  readonly bytes: number;
  /** Fills `into` from offset `at`; gives how many bytes there were, 0 at the end. */
  read(into: Uint8Array, at: number): Promise<number>;
  /** Never throws. */
  close(): Promise<void>;
}

/** The store does not do what it should: full, away, damaged. */
export class BlobFault extends Error {
  constructor(message: string, cause: unknown) {
    super(message, { cause });
    this.name = 'BlobFault';
  }
}
