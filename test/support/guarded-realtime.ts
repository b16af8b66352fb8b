import { eventually, KEY, type RunningGateway, startGateway } from './gateway.ts';
import { type FakeProvider, sendJson, startProvider } from './provider.ts';
import { openRealtime, type RealtimeClient } from './realtime-client.ts';
import { type ProviderSide, type RealtimeProvider, startRealtimeProvider } from './realtime-provider.ts';

export const SECRET = 'AKIAIOSFODNN7EXAMPLE';
export const SSN = '536-22-8726';
export const MAIL = 'ada@example.com';
export const USAGE = { total_tokens: 60, input_tokens: 40, output_tokens: 20 };
const MARK = '{"type":"rate_limits.updated","x":1.0}';

const rule = (id: string, account: string, input: string[], output: string[], more: object = {}): object => ({
  id,
  when: { target: { operator: 'or', conditions: { model: { condition: 'in', values: [`${account}/*`] } } } },
  llm_input_guardrails: input,
  llm_output_guardrails: output,
  mcp_tool_pre_invoke_guardrails: [],
  mcp_tool_post_invoke_guardrails: [],
  ...more,
});

/** What the guard of the operator's own was asked, with how it is answered. */
export interface Judged {
  readonly body: object;
  answer(verdict: object): void;
}

export interface GuardedRealtime {
  readonly gateway: RunningGateway;
  readonly provider: RealtimeProvider;
  readonly judged: Judged[];
  /** The last session at the provider. */
  latest(): ProviderSide;
  /** A session of the model of an account, whose records have the label `id`. */
  open(account: string, id?: string, headers?: object): Promise<RealtimeClient>;
  /** Resolves when all that the provider sent before is delivered. */
  delivered(client: RealtimeClient): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** A gateway whose realtime models are guarded: `main` by what judges a few bytes, `held` and `asked` by a service as well. */
export async function startGuardedRealtime(): Promise<GuardedRealtime> {
  const judged: Judged[] = [];
  const provider = await startRealtimeProvider();
  const service: FakeProvider = await startProvider((request, response) => {
    judged.push({
      body: JSON.parse(request.body.toString()),
      answer: (verdict) => sendJson(response, 200, verdict),
    });
  });
  const openai = (name: string): object => ({
    type: 'provider-account/openai',
    name,
    auth_data: { type: 'api-key', api_key: `key of ${name}` },
    base_url: `${provider.url}/v1`,
    integrations: [
      { type: 'integration/model/openai', name: 'voice', model_id: 'gpt-realtime', model_types: ['realtime'] },
    ],
  });
  const own = { type: 'integration/guardrail-config/custom', config: { url: `${service.origin}/check` } };
  const gateway = await startGateway({
    server: { limits: { max_translate_bytes: 65_536 } },
    manifests: [
      openai('main'),
      openai('held'),
      openai('asked'),
      openai('windowed'),
      {
        type: 'provider-account/google-gemini',
        name: 'google',
        auth_data: { type: 'api-key', apiKey: 'k' },
        base_url: `${provider.url}/v1beta`,
        integrations: [
          { type: 'integration/model/gemini', name: 'live', model_id: 'gemini-live', model_types: ['realtime'] },
        ],
      },
      {
        type: 'provider-account/guardrail-config-group',
        name: 'g',
        integrations: [
          {
            type: 'integration/guardrail-config/secret-detection',
            name: 'secrets',
            operation: 'mutate',
            enforcing_strategy: 'enforce',
          },
          {
            type: 'integration/guardrail-config/regex',
            name: 'ssn',
            operation: 'validate',
            config: { preset_patterns: { presets: ['us_ssn'] } },
          },
          {
            type: 'integration/guardrail-config/tfy-pii',
            name: 'pii',
            operation: 'mutate',
            config: { pii_categories: ['Email'], pseudonyms: true },
          },
          { ...own, name: 'own', operation: 'validate', enforcing_strategy: 'enforce' },
        ],
      },
      {
        type: 'gateway-guardrails-config',
        rules: [
          rule('main', 'main', ['g/ssn', 'g/pii'], ['g/secrets', 'g/ssn']),
          rule('held', 'held', [], ['g/own', 'g/secrets']),
          rule('windowed', 'windowed', [], ['g/own'], { on_streams: 'window' }),
          rule('asked', 'asked', ['g/own'], []),
          rule('google', 'google', ['g/ssn', 'g/pii'], ['g/secrets', 'g/ssn']),
        ],
      },
    ],
  });
  const latest = (): ProviderSide => provider.sessions.at(-1)!;
  return {
    gateway,
    provider,
    judged,
    latest,
    open: (account, id = 'x', headers = {}) =>
      openRealtime(gateway.url, `/v1/realtime?model=${account}/voice`, {
        key: KEY,
        headers: { 'x-request-id': id, ...headers },
      }),
    async delivered({ received }) {
      const count = received.filter(({ text }) => text === MARK).length;
      latest().socket.send(MARK);
      await eventually('the mark', () => received.filter(({ text }) => text === MARK).length > count);
    },
    async [Symbol.asyncDispose]() {
      await gateway[Symbol.asyncDispose]();
      await provider[Symbol.asyncDispose]();
      await service[Symbol.asyncDispose]();
    },
  };
}

export const userSays = (text: string): object => ({
  type: 'conversation.item.create',
  item: { type: 'message', role: 'user', content: [{ type: 'input_text', text }] },
});

export const at = { response_id: 'r1', item_id: 'i1', output_index: 0, content_index: 0 };

/** An answer as OpenAI tells it: audio, its transcript in pieces, and three copies of the whole. */
export function answer(side: ProviderSide, text: string, { id = 'r1', size = 3 } = {}): void {
  const send = (event: object): void => side.socket.send(JSON.stringify(event));
  const part = { type: 'audio', transcript: text };
  const item = { id: 'i1', type: 'message', role: 'assistant', content: [part] };
  const about = { ...at, response_id: id };
  send({ type: 'response.created', event_id: 'e0', response: { id, status: 'in_progress', output: [] } });
  for (const [index, delta] of (text.match(new RegExp(`.{1,${size}}`, 'gs')) ?? []).entries()) {
    side.socket.send(
      `{"type":"response.output_audio.delta", "event_id":"a${index}","response_id":"${id}","delta":"QUFB"}`,
    );
    send({ type: 'response.output_audio_transcript.delta', event_id: `e${index}`, ...about, delta });
  }
  send({ type: 'response.output_audio_transcript.done', ...about, transcript: text });
  send({ type: 'response.content_part.done', ...about, part });
  send({ type: 'response.output_item.done', response_id: id, output_index: 0, item });
  send({ type: 'conversation.item.done', item });
  const status = side.messages.some((each) => each.text.includes('response.cancel')) ? 'cancelled' : 'completed';
  send({ type: 'response.done', event_id: 'e9', response: { id, status, output: [item], usage: USAGE } });
}
