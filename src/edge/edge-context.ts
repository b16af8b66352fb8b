import type { ServerSettings } from '../config/server/server-settings.ts';
import type { GatewayError } from '../core/errors.ts';
import type { Exchange } from '../core/exchange.ts';
import type { Sweeper, Swept } from '../core/sweeper.ts';
import type { SharedCounters } from '../threads/shared-counters.ts';
import type { BodyBlocks } from './body-blocks.ts';
import type { RemoteSide } from './client-address.ts';
import type { ClientConnections } from './client-connections.ts';
import type { RequestHead } from './request-head.ts';

export interface OpenExchange extends Swept {
  /** The drain deadline came: it ends now. */
  drainNow(): void;
  /** Closes its connection, whatever still waits. */
  closeNow(): void;
}

/** What an EdgeExchange needs of its edge. */
export interface EdgeContext {
  readonly settings: ServerSettings;
  readonly counters: SharedCounters;
  readonly blocks: BodyBlocks;
  /** Exchanges that have not ended. */
  readonly open: Sweeper<OpenExchange>;
  readonly connections: ClientConnections;
  /** Every answer from now on is the last of its connection. */
  readonly closesAfterAnswer: boolean;
  /** Headers that say how long the connection is kept; none for a client that asked to close it. */
  keepAliveHeaders(head: RequestHead): readonly string[];
  corsHeaders(origin: string | undefined): readonly string[];
  /** `detail`: why the body is larger than its head declared. */
  tooLarge(detail?: string): GatewayError;
  fileTooLarge(): GatewayError;
  refused(exchange: Exchange, error: GatewayError): void;
  /** What the record of a refusal says of the client, as ExchangeRecord.clientJson. */
  clientJson(head: RequestHead, side: RemoteSide): string;
  onLeft(): void;
}
