import type { GatewayError } from '../core/errors.ts';

/** The relay that owns the exchange, as a mode sees it. */
export interface RelayHost {
  /**
   * The commit point: status and content type go to the client with the next bytes. After it nothing is retried.
   * Calling it again does nothing.
   */
  commit(contentType: string): void;
  /** Hands bytes to the client's sink; the relay pauses the provider where the sink is full. */
  write(bytes: Buffer): void;
  /** The answer is whole: the client is told so at once, whatever the provider does with its connection. */
  finish(last?: Buffer): void;
  /** This attempt failed: before the commit point another may follow, after it the client is told. */
  fail(error: GatewayError): void;
  /** Content came, in so many pieces: first-byte and idle waits start anew. */
  content(pieces: number): void;
}

/** One way of carrying a 2xx answer back; made per attempt. After it called `finish` or `fail` it calls nothing more. */
export interface RelayMode {
  /** What the client gets is an event stream: comments may stand in it and errors come as events. */
  readonly isStream: boolean;
  /** As AttemptHandler.chunk: the bytes may be kept by reference. */
  chunk(bytes: Buffer, pieces?: number): void;
  /** HTTP ended the answer properly. */
  ended(): void;
  /** The client has a part of an event: an error event must not be glued to it, and no comment put into it. */
  readonly unfinishedLine: boolean;
  /** What ends the client's stream where the answer failed in it. Absent: the dialect's error event. */
  failed?(error: GatewayError): Buffer | undefined;
}
