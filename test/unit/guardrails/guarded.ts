import assert from 'node:assert/strict';
import type { JsonObject } from '../../../src/codec/json-value.ts';
import type { GuardConfig, Hook, OnStreams } from '../../../src/config/guardrails/guardrails.ts';
import type { GatewayError } from '../../../src/core/errors.ts';
import type { HttpClient } from '../../../src/core/http-client.ts';
import type { GuardedForm } from '../../../src/dialects/guarded-form.ts';
import type { Elsewhere } from '../../../src/guardrails/elsewhere.ts';
import type { Guard, GuardQuestion } from '../../../src/guardrails/guard.ts';
import { outputGuard } from '../../../src/guardrails/guardrails.ts';
import { makeGuards } from '../../../src/guardrails/make-guards.ts';
import { GuardrailPlans } from '../../../src/guardrails/plan.ts';
import { DeadlineRunner } from '../../../src/guardrails/runner.ts';
import { GuardSession } from '../../../src/guardrails/session.ts';
import { guardCredential } from '../../../src/plugs.ts';
import type { Caller } from '../../../src/policy/caller.ts';
import type { Tokens } from '../../../src/providers/credential.ts';
import type { FilteredAnswerContext, FilterHost } from '../../../src/relay/answer-filter.ts';
import { FakeRelayHost } from '../relay/fake-relay-host.ts';

export class FakeFilterHost extends FakeRelayHost implements FilterHost {
  pauses = 0;

  shorten(ending: Buffer): void {
    this.finish(ending);
  }

  pause(): void {
    this.pauses += 1;
  }

  resume(): void {
    this.pauses -= 1;
  }
}

const caller: Caller = {
  principal: { subject: 'user:a@b.c', keyId: 'k', teams: [], models: undefined, metadata: {} },
  teams: [],
  teamsJson: undefined,
  subjects: new Set(['user:a@b.c', '*']),
  metadata: undefined,
  allows: () => true,
};

export function guardConfig(more: Partial<GuardConfig> & Pick<GuardConfig, 'kind'>): GuardConfig {
  return { name: `g/${more.kind}`, operation: 'mutate', priority: 0, strategy: 'enforce', config: {}, ...more };
}

export interface SessionSetup {
  readonly configs?: readonly GuardConfig[];
  readonly guards?: readonly Guard[];
  readonly hook?: Hook;
  readonly onStreams?: OnStreams;
  readonly timeoutMs?: number;
  readonly http?: HttpClient;
  readonly tokens?: Tokens;
  readonly elsewhere?: Elsewhere | undefined;
  readonly offloadCharacters?: number;
}

const NO_TOKENS: Tokens = { get: () => undefined };
const noHttp: HttpClient = () => Promise.reject(new Error('nobody is asked'));

/** A session of one rule that names all of them, at one hook. */
export function openSession({
  configs = [],
  guards = [],
  hook = 'llm-output',
  onStreams = 'hold',
  timeoutMs = 1_000,
  http = noHttp,
  tokens = NO_TOKENS,
  elsewhere,
  offloadCharacters,
}: SessionSetup): GuardSession {
  const made = makeGuards(configs, { http, credentialOf: (config) => guardCredential(config, tokens) });
  for (const guard of guards) made.set(guard.config.name, guard);
  const none = { 'llm-input': [], 'llm-output': [], 'mcp-pre': [], 'mcp-post': [] };
  const rule = { id: 'r', when: {}, guards: { ...none, [hook]: [...made.keys()] }, onStreams };
  const plan = new GuardrailPlans([rule], made).of({ caller, metadata: {}, model: { id: 'a/b', slug: undefined } });
  assert.ok(plan);
  const exchange = { id: 'x', caller, metadata: {}, model: 'a/b', form: 'openai-chat' };
  const settings = { timeoutMs, parallel: true, ...(offloadCharacters !== undefined && { offloadCharacters }) };
  return new GuardSession({ plan, exchange, settings, runner: new DeadlineRunner(elsewhere), elsewhere });
}

/** What mutating guards make of a question: its texts, or why it is refused, and parts that they replaced. */
export async function mutated(
  session: GuardSession,
  question: GuardQuestion,
): Promise<{
  readonly texts: readonly string[];
  readonly refused: GatewayError | undefined;
  readonly parts: JsonObject;
}> {
  let { texts } = question;
  let parts: JsonObject = {};
  const refused = await session.mutate(question.hook, session.hook(question.hook)?.mutators ?? [], {
    question: () => ({ ...question, texts }),
    setTexts(now) {
      texts = texts.map((each, at) => ({ ...each, text: now[at]! }));
    },
    replace(replaced) {
      parts = { ...parts, ...replaced };
    },
  });
  return { texts: texts.map(({ text }) => text), refused, parts };
}

const sharedMemory = { holdBody: () => true, releaseBody: () => undefined };

/** The filter of a session between a mode and its host. */
export function openFilter(session: GuardSession, form: GuardedForm, isStream: boolean, maxHeldBytes = 1_000_000) {
  const maker = outputGuard({
    session,
    form,
    request: () => ({}),
    sharedMemory,
    maxBodyMemoryBytes: 1e9,
    maxHeldBytes,
  });
  const host = new FakeFilterHost();
  const contentType = isStream ? 'text/event-stream' : 'application/json';
  const filter = maker?.(host, { contentType, isStream } as FilteredAnswerContext);
  assert.ok(filter);
  filter.commit(contentType);
  return { filter, host };
}

export interface Streamed {
  readonly output: string;
  readonly error: GatewayError | undefined;
  /** What had been written after each piece. */
  readonly steps: readonly string[];
}

export function streamed(session: GuardSession, form: GuardedForm, pieces: readonly (string | Buffer)[]): Streamed {
  const { filter, host } = openFilter(session, form, true);
  const steps: string[] = [];
  for (const piece of pieces) {
    filter.write(Buffer.from(piece));
    steps.push(host.output().toString());
  }
  filter.finish();
  assert.deepEqual(host.behindTheEnd, []);
  assert.deepEqual(host.uncommitted, []);
  return { output: host.output().toString(), error: host.error, steps };
}
