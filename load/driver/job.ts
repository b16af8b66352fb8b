/** What crosses the border between the command and a driver process. Plain data, so that it can be cloned. */
import type { RecorderData } from '../recorder.ts';

/** One POST, ready to be sent: whom, as whom, what. */
export type Request = {
  /** Base of the subject plus path, e.g. `http://127.0.0.1:8787/v1/chat/completions`. */
  url: string;
  headers: Record<string, string>;
  body: string;
};

/** What a good answer looks like. Anything else counts as an error and voids the figures. */
export type Expectation = {
  status: number;
  /** Exact body length, for subjects that relay byte for byte. */
  bodyBytes?: number;
};

/** autocannon sends the next request on a connection once the last one is answered. */
export type ClosedLoop = {
  kind: 'closed-loop';
  request: Request;
  expect: Expectation;
  connections: number;
  /** Headers that a connection sends beside those of the request, one map a connection; absent: all send the same. */
  ownHeaders?: Record<string, string>[];
  /** It ends with whichever comes first. */
  requests: number;
  maxMs: number;
  /** 'request': the server closes the connection after each answer. */
  connectionPer: 'run' | 'request';
};

/** Requests start at evenly spaced moments, whatever the answers do; timed from the intended start. */
export type Arrivals = {
  kind: 'arrivals';
  request: Request;
  expect: Expectation;
  perSecond: number;
  durationMs: number;
};

/** One connection to each target; a block of requests to one, then to the next: drift hits all alike. */
export type Interleaved = {
  kind: 'interleaved';
  targets: { name: string; request: Request; expect: Expectation }[];
  requestsEach: number;
  block: number;
};

/** Opens streams one after the other within `rampMs` and reads each to its end. Reports `all-open` on the way. */
export type Streams = {
  kind: 'streams';
  request: Request;
  expect: Expectation;
  streams: number;
  rampMs: number;
  /** A stream has stalled when so long nothing came. */
  stallMs: number;
};

/** Clients that close their socket before the answer is complete. `{n}` in the body becomes the client's number. */
export type Leavers = {
  kind: 'leavers';
  request: Request;
  clients: number;
  perSecond: number;
  /** Left after the first content, or so long after the request was sent. */
  leave: { afterContentMs: number } | { afterSendMs: number };
};

/** Clients that ask for a stream and never read from their socket. Reports `all-open` once the requests are out. */
export type NonReaders = { kind: 'non-readers'; request: Request; clients: number; holdMs: number };

export type Job = ClosedLoop | Arrivals | Interleaved | Streams | Leavers | NonReaders;

export type JobResult = {
  completed: number;
  /** Reason → how often. Empty when all went as expected. */
  errors: Record<string, number>;
  elapsedMs: number;
  /** CPU of the driver process during the job. */
  driverCpuUs: number;
  /** Name → µs, e.g. latency, firstByte, firstContent, gap, lateness. */
  times: Record<string, RecorderData>;
  counts: Record<string, number>;
  /** Leavers only: when each client left, CLOCK_MONOTONIC µs, by the user label it sent. */
  left?: { user: string; atUs: number }[];
};

export type DriverMessage = { event: 'all-open' } | { result: JobResult } | { failed: string };
