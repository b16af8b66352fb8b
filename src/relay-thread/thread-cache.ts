import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { AnswerCache } from '../cache/answer-cache.ts';
import { FlightClaims } from '../cache/flight-claims.ts';
import { RemoteFlights } from '../cache/remote-flights.ts';
import { SemanticIndex, type SemanticIndexOptions } from '../cache/semantic-index.ts';
import { SharedAnswers } from '../cache/shared-answers.ts';
import { SharedVectors } from '../cache/shared-vectors.ts';
import type { RedisValues } from '../counters/redis-values.ts';
import type { SharedMemory } from '../relay/held-memory.ts';
import type { FromRelayThread, RelayThreadData } from '../threads/messages.ts';

export interface ThreadCacheOptions extends Pick<SemanticIndexOptions, 'vectors' | 'searchElsewhere'> {
  readonly data: RelayThreadData;
  /** Undefined: answers are kept in memory alone. */
  readonly remote: RedisValues | undefined;
  readonly sharedMemory: SharedMemory;
  send(message: FromRelayThread, transfer: readonly MessagePort[]): void;
}

/** The cache of one relay thread. `flights`: attempts under way that other threads join; undefined: this is the only thread. */
export interface ThreadCache {
  readonly answers: AnswerCache;
  readonly flights: RemoteFlights | undefined;
}

export function threadCache(options: ThreadCacheOptions): ThreadCache {
  const { data, remote, sharedMemory, vectors, searchElsewhere } = options;
  const { cache: settings } = data.configuration.server;
  const flights = remoteFlights(options);
  const answers = new AnswerCache({
    elsewhere: flights,
    memory: new SharedAnswers(settings.maxBytes, data.thread, data.answers),
    remote,
    sharedMemory,
    semantic: new SemanticIndex({
      memory: new SharedVectors(settings.semantic, data.thread, data.vectors),
      remote,
      vectors,
      searchElsewhere,
    }),
  });
  return { answers, flights };
}

function remoteFlights({ data, send }: ThreadCacheOptions): RemoteFlights | undefined {
  if (data.threads === 1) return undefined;
  return new RemoteFlights({
    thread: data.thread,
    claims: new FlightClaims(data.thread, data.claims),
    connect(to) {
      const { port1, port2 } = new MessageChannel();
      send({ type: 'flight-port-to', to, port: port2 }, [port2]);
      return port1;
    },
  });
}
