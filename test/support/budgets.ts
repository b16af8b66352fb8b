import { type RunningGateway, startGateway } from './gateway.ts';
import type { Answer } from './provider.ts';
import { chunkEvent, completion, DONE_EVENT, sendJson } from './provider.ts';
import { openAccount, startEvents } from './scripted-provider.ts';

export const ADMIN_KEY = 'admin-key-of-the-test';

/** US dollars per 1,000 tokens. */
export const PRICE = { input: 1, output: 2 };

/** An account whose models all cost PRICE. */
export function pricedAccount(name: string, url: string, models: readonly string[]): object {
  return openAccount(name, url, {
    integrations: models.map((model) => ({
      name: model,
      type: 'integration/model/openai',
      model_id: model,
      model_types: ['chat'],
      cost: { metric: 'per_1000_tokens', value: PRICE },
    })),
  });
}

export interface BudgetEntry {
  readonly budget: string;
  readonly mode: string;
  readonly group: string;
  readonly unit: string;
  readonly currency: string | null;
  readonly spent: number;
  readonly held: number;
  readonly limit: number | null;
  readonly percent: number | null;
  readonly period_start: string;
  readonly resets_at: string;
}

export interface BudgetPage {
  readonly data: BudgetEntry[];
  readonly next_page_token: string | null;
}

export async function budgetsOf(gateway: RunningGateway, query = ''): Promise<BudgetPage> {
  const response = await fetch(`${gateway.operatorUrl}/admin/budgets${query}`, {
    headers: { authorization: `Bearer ${ADMIN_KEY}` },
  });
  if (response.status !== 200) throw new Error(`${response.status} ${await response.text()}`);
  return JSON.parse(await response.text());
}

/** With the admin API on. */
export function startBudgetGateway(options: Parameters<typeof startGateway>[0] = {}): Promise<RunningGateway> {
  const operator = { host: '127.0.0.1', port: 0, admin_key: ADMIN_KEY };
  return startGateway({ ...options, server: { operator, ...options.server } });
}

/** Whole or streamed, at once, with the usage that a test says. */
export function answering(usage: { input: number; output: number }): Answer {
  const said = {
    prompt_tokens: usage.input,
    completion_tokens: usage.output,
    total_tokens: usage.input + usage.output,
  };
  return (request, response) => {
    if (!JSON.parse(request.body.toString()).stream) {
      sendJson(response, 200, completion('hello', said));
      return;
    }
    startEvents(response);
    const empty = {
      id: 'chatcmpl-1',
      object: 'chat.completion.chunk',
      created: 1,
      model: 'm',
      choices: [],
      usage: said,
    };
    response.end(
      `${chunkEvent({ role: 'assistant', content: 'hello' })}${chunkEvent({}, 'stop')}data: ${JSON.stringify(empty)}\n\n${DONE_EVENT}`,
    );
  };
}

/** One word at a time until the reader leaves: a model that never stops. */
export const talkative: Answer = (_request, response) => {
  startEvents(response);
  response.write(chunkEvent({ role: 'assistant', content: '' }));
  const timer = setInterval(() => response.write(chunkEvent({ content: 'word' })), 1);
  response.on('close', () => clearInterval(timer));
};
