import type { RpcMessage } from '../protocol/json-rpc.ts';
import type { HttpFault } from './http-call.ts';

/** Messages to and from one server, on whatever transport. */
export interface Link {
  /** Sends the request with this id. What comes of it goes to the owner, who is told with `over` when nothing more can come. */
  request(id: number, json: string, headers: readonly string[]): void;
  /** Stops waiting for it; on HTTP this closes its stream. */
  drop(id: number): void;
  /**
   * A notification or a response. Resolves when the server took it, or when it failed, which nobody is told: each message
   * of HTTP may overtake the one before, so whoever minds the order waits.
   */
  send(json: string, headers: readonly string[]): Promise<void>;
  /**
   * Opens the stream on which a server speaks by itself; where there is one stream for all this does nothing. A promise: it
   * is not open yet, and what the server says meanwhile is lost. It never rejects, and is `undefined` once the stream is
   * open, or where the server has none.
   */
  hear(): Promise<void> | undefined;
  close(): void;
}

export interface LinkOwner {
  /** `ofRequest`: whose stream it came on; undefined: no request's own. */
  message(message: RpcMessage, ofRequest: number | undefined): void;
  /** Nothing more comes for this request. `fault`: why there is no answer, if there is none. */
  over(id: number, fault: HttpFault | undefined): void;
  /** The whole link broke. */
  lost(fault: HttpFault): void;
}
