import { hash } from 'node:crypto';
import type { HeadersOfInterest } from './exchange.ts';

/** W3C trace context, version 00 or a later one that begins alike: https://www.w3.org/TR/trace-context/#traceparent-header */
const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?$/;
const SAMPLED = 1;

export interface TraceParent {
  /** 32 hex digits. */
  readonly traceId: string;
  /** 16 hex digits. */
  readonly spanId: string;
  readonly sampled: boolean;
}

/** Undefined where the header is absent or malformed: then a trace of its own begins. */
export function parseTraceparent(text: string | undefined): TraceParent | undefined {
  const [, traceId, spanId, flags] = (text !== undefined && TRACEPARENT.exec(text)) || [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return undefined;
  return { traceId, spanId, sampled: (Number.parseInt(flags, 16) & SAMPLED) === SAMPLED };
}

export interface OwnIds {
  /** Of a trace that begins here. */
  readonly traceId: string;
  /** Of the exchange's own span. */
  readonly spanId: string;
}

/** Follow from the exchange's id alone, so that the thread that exports spans knows them without being told. */
export function ownIds(exchangeId: string): OwnIds {
  const digest = hash('sha256', exchangeId);
  return { traceId: digest.slice(0, 32), spanId: digest.slice(32, 48) };
}

/** Of one attempt, counted from 1. */
export function attemptSpanId(exchangeId: string, attempt: number): string {
  return hash('sha256', `${exchangeId} ${attempt}`).slice(0, 16);
}

/**
 * The provider becomes a child of the exchange's span. What the client sent is kept for the record; a `tracestate` without
 * a trace that it belongs to goes no further.
 */
export function continueTrace(headers: HeadersOfInterest, exchangeId: string): void {
  const own = ownIds(exchangeId);
  const parent = parseTraceparent(headers.traceparent);
  if (parent === undefined) headers.tracestate = undefined;
  headers.clientTraceparent = parent && headers.traceparent;
  const flags = parent === undefined || parent.sampled ? '01' : '00';
  headers.traceparent = `00-${parent?.traceId ?? own.traceId}-${own.spanId}-${flags}`;
}
