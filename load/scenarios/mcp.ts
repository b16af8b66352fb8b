/** Calls of a tool beside answers of a chat: CPU of each. Then sessions that rest: memory of each. */
import { setTimeout as delay } from 'node:timers/promises';
import { roundOf, warmUpLoop } from '../chat-loop.ts';
import { chatRequest, fetchOnce } from '../chat-request.ts';
import type { ClosedLoop, Request } from '../driver/job.ts';
import { driverShare, measure, percentiles } from '../measure.ts';
import type { Subject } from '../peers/peer.ts';
import { sample } from '../proc.ts';
import { type Bench, count, cpu, type Scenario, timing } from '../scenario.ts';
import { warmUp } from '../warm-up.ts';

const CHAT = { model: 'mock-whole', body: 'whole', warmUpRequests: 20_000, roundRequests: 12_000 } as const;
const CONNECTIONS = 32;
const WARM_UP_CALLS = 10_000;
const CALLS = 12_000;
const LOOP_MS = 8_000;
/** Opened before the first look: what they bring along is code, and room that later ones use. */
const FIRST_SESSIONS = 1_000;
/** So many that their garbage is worth being collected once they rest. */
const SESSIONS = 6_000;
/** So many sessions open their stream; each takes two file descriptors of the subject at the most. */
const LISTENERS = 500;
/** Idle threads give back what is not needed within two looks of half a second. */
const REST_MS = 4_000;
const OPENED_AT_ONCE = 20;
const NEW = '2026-07-28';
const OLD = '2025-11-25';

export const mcp: Scenario = {
  name: 'mcp',
  summary: 'calls of a tool of both eras beside whole answers: CPU of each; memory of sessions that rest',
  models: () => [CHAT.model],
  rounds: 3,
  columns: [
    cpu('cpuChatUs', 'chat CPU µs', 1),
    cpu('cpuNewUs', 'call CPU µs (new)', 1),
    cpu('newTimesChat', '× chat', 2),
    cpu('cpuOldUs', 'call CPU µs (old)', 1),
    cpu('oldTimesChat', '× chat', 2),
    timing('newP50Us', 'new p50 µs'),
    timing('newP99Us', 'p99 µs'),
    count('sessions', 'sessions'),
    count('rssPerSessionKb', 'RSS KB/session', 1),
    count('rssPerListenerKb', 'with its stream KB', 1),
    count('driverPercent', 'driver %'),
  ],
  unfit: (subject) => (subject.mcpUrl === undefined ? 'it is no gateway of MCP' : undefined),
  async warmUp(bench, subject) {
    // Before all else: a heap that was large once has room for many a session.
    resting.set(subject, await restingSessions(subject));
    await warmUpLoop(bench, subject, CHAT);
    await warmUp(bench.driver, await calls(bench, newCall(subject), WARM_UP_CALLS));
    const warm = await oldCalls(bench, subject, WARM_UP_CALLS);
    await warmUp(bench.driver, warm.job);
    await closeSessions(subject, warm.sessions);
  },
  async round(bench, subject) {
    const chat = await measure(bench.driver, subject, await roundOf(bench, subject, CHAT));
    const ofNew = await measure(bench.driver, subject, await calls(bench, newCall(subject), callsOf(bench)));
    const old = await oldCalls(bench, subject, callsOf(bench));
    const ofOld = await measure(bench.driver, subject, old.job);
    await closeSessions(subject, old.sessions);
    const [cpuChatUs, cpuNewUs, cpuOldUs] = [chat, ofNew, ofOld].map(({ cpuUs, result }) => cpuUs / result.completed);
    const latency = percentiles(ofNew.result, 'latency');
    return {
      figures: {
        cpuChatUs: cpuChatUs!,
        cpuNewUs: cpuNewUs!,
        newTimesChat: cpuNewUs! / cpuChatUs!,
        cpuOldUs: cpuOldUs!,
        oldTimesChat: cpuOldUs! / cpuChatUs!,
        newP50Us: latency['latencyP50Us'] ?? Number.NaN,
        newP99Us: latency['latencyP99Us'] ?? Number.NaN,
        ...resting.get(subject),
        driverPercent: driverShare(ofNew.result) * 100,
      },
      voids: [...chat.voids, ...ofNew.voids, ...ofOld.voids],
    };
  },
};

/** Measured once, on a subject that was just started. */
const resting = new WeakMap<Subject, Record<string, number>>();

function callsOf({ settings }: Bench): number {
  return settings.requests ?? CALLS;
}

async function restingSessions(subject: Subject): Promise<Record<string, number>> {
  const first = await openSessions(subject, FIRST_SESSIONS);
  const before = await rssAtRest(subject);
  const opened = await openSessions(subject, SESSIONS);
  const after = await rssAtRest(subject);
  const abandon = new AbortController();
  await listen(subject, opened.slice(0, LISTENERS), abandon.signal);
  const listening = await rssAtRest(subject);
  abandon.abort();
  await closeSessions(subject, [...first, ...opened]);
  const rssPerSessionKb = (after - before) / 1024 / SESSIONS;
  const rssPerListenerKb = rssPerSessionKb + (listening - after) / 1024 / LISTENERS;
  return { sessions: SESSIONS, rssPerSessionKb, rssPerListenerKb };
}

async function rssAtRest({ pid }: Subject): Promise<number> {
  await delay(REST_MS);
  return pid === undefined ? Number.NaN : sample(pid).rssBytes;
}

// ── requests ────────────────────────────────────────────────────────────────

function headersOf(subject: Subject, version: string): Record<string, string> {
  return {
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
    'mcp-protocol-version': version,
    ...subject.headers,
  };
}

function newCall(subject: Subject): Request {
  const prefix = 'io.modelcontextprotocol/';
  const _meta = {
    [`${prefix}protocolVersion`]: NEW,
    [`${prefix}clientCapabilities`]: {},
    [`${prefix}clientInfo`]: { name: 'load', version: '1' },
  };
  return {
    url: subject.mcpUrl ?? '',
    headers: { ...headersOf(subject, NEW), 'mcp-method': 'tools/call', 'mcp-name': 'echo' },
    body: rpc(1, 'tools/call', { name: 'echo', arguments: { text: asked(subject) }, _meta }),
  };
}

function oldCall(subject: Subject, session: string): Request {
  return {
    url: subject.mcpUrl ?? '',
    headers: { ...headersOf(subject, OLD), 'mcp-session-id': session },
    body: rpc(1, 'tools/call', { name: 'echo', arguments: { text: asked(subject) } }),
  };
}

/** As long as what a chat asks. */
function asked(subject: Subject): string {
  return 'a'.repeat(chatRequest(subject, { model: CHAT.model, stream: false }).body.length);
}

function rpc(id: number, method: string, params: object): string {
  return JSON.stringify({ jsonrpc: '2.0', id, method, params });
}

/** Every answer must be as long as the first, which must be a result. */
async function calls(bench: Bench, request: Request, requests: number): Promise<ClosedLoop> {
  const { status, body } = await fetchOnce(request);
  if (status !== 200 || !body.includes('"result"')) throw new Error(`a call of a tool got ${status}: ${body}`);
  const connections = bench.settings.connections ?? CONNECTIONS;
  const expect = { status: 200, bodyBytes: body.length };
  return { kind: 'closed-loop', request, expect, connections, requests, maxMs: LOOP_MS, connectionPer: 'run' };
}

/** A session for each connection: within one, no two requests that are under way have the same id. */
async function oldCalls(
  bench: Bench,
  subject: Subject,
  requests: number,
): Promise<{ job: ClosedLoop; sessions: string[] }> {
  const sessions = await openSessions(subject, bench.settings.connections ?? CONNECTIONS);
  const job = await calls(bench, oldCall(subject, sessions[0]!), requests);
  return { job: { ...job, ownHeaders: sessions.map((session) => ({ 'mcp-session-id': session })) }, sessions };
}

// ── sessions ────────────────────────────────────────────────────────────────

async function openSession(subject: Subject): Promise<string> {
  const url = subject.mcpUrl ?? '';
  const clientInfo = { name: 'load', version: '1' };
  const answer = await fetch(url, {
    method: 'POST',
    headers: headersOf(subject, OLD),
    body: rpc(1, 'initialize', { protocolVersion: OLD, capabilities: {}, clientInfo }),
  });
  await answer.arrayBuffer();
  const session = answer.headers.get('mcp-session-id');
  if (session === null) throw new Error(`no session was begun: ${answer.status}`);
  const told = await fetch(url, {
    method: 'POST',
    headers: { ...headersOf(subject, OLD), 'mcp-session-id': session },
    body: JSON.stringify({ jsonrpc: '2.0', method: 'notifications/initialized' }),
  });
  await told.arrayBuffer();
  return session;
}

async function openSessions(subject: Subject, many: number): Promise<string[]> {
  const opened: string[] = [];
  while (opened.length < many) {
    const count = Math.min(OPENED_AT_ONCE, many - opened.length);
    opened.push(...(await Promise.all(Array.from({ length: count }, () => openSession(subject)))));
  }
  return opened;
}

/** Opens the stream of each, which stays open until the signal. */
async function listen(subject: Subject, sessions: readonly string[], signal: AbortSignal): Promise<void> {
  for (let at = 0; at < sessions.length; at += OPENED_AT_ONCE) {
    await Promise.all(
      sessions.slice(at, at + OPENED_AT_ONCE).map(async (session) => {
        const headers = { ...headersOf(subject, OLD), accept: 'text/event-stream', 'mcp-session-id': session };
        const answer = await fetch(subject.mcpUrl ?? '', { headers, signal });
        if (answer.status !== 200) throw new Error(`the stream of a session got ${answer.status}`);
      }),
    );
  }
}

async function closeSessions(subject: Subject, sessions: readonly string[]): Promise<void> {
  for (let at = 0; at < sessions.length; at += OPENED_AT_ONCE) {
    await Promise.all(
      sessions.slice(at, at + OPENED_AT_ONCE).map(async (session) => {
        const headers = { ...headersOf(subject, OLD), 'mcp-session-id': session };
        await (await fetch(subject.mcpUrl ?? '', { method: 'DELETE', headers })).arrayBuffer();
      }),
    );
  }
}
