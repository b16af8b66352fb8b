/** What clients are told in a storm: each answer whole and of one provider, cut behind its content, or the right error. */
import type { Subject } from '../peers/peer.ts';
import { wordsOf } from './providers.ts';

const STREAMED = 0.7;
const RIGHT_ERRORS = new Set([429, 502, 503, 504]);
const DEADLINE_MS = 30_000;

export type Told = { id: string; kind: 'whole' | 'error' | 'cut' | 'wrong'; why?: string };

/** Asks on so many connections while the storm lasts. */
export async function askUntil(
  subject: Subject,
  model: string,
  connections: number,
  isOver: Promise<void>,
): Promise<Told[]> {
  const told: Told[] = [];
  let over = false;
  const client = async (): Promise<void> => {
    while (!over) told.push(await one(subject, model));
  };
  const clients = Array.from({ length: connections }, client);
  await isOver.finally(() => {
    over = true;
  });
  await Promise.all(clients);
  return told;
}

async function one(subject: Subject, model: string): Promise<Told> {
  const stream = Math.random() < STREAMED;
  const response = await fetch(`${subject.baseUrl}/chat/completions`, {
    method: 'POST',
    headers: { ...subject.headers, 'content-type': 'application/json' },
    body: JSON.stringify({ model, stream, messages: [{ role: 'user', content: 'hi' }] }),
    signal: AbortSignal.timeout(DEADLINE_MS),
  }).catch((error: Error) => error);
  if (response instanceof Error) return { id: '', kind: 'wrong', why: response.message };
  const id = response.headers.get('x-sluice-exchange-id') ?? '';
  const { text, broken } = await readAll(response);
  if (response.status !== 200) {
    const isRight = !broken && RIGHT_ERRORS.has(response.status) && typeof errorCode(text) === 'string';
    return isRight ? { id, kind: 'error' } : { id, kind: 'wrong', why: `${response.status} ${text.slice(0, 200)}` };
  }
  const account = response.headers.get('x-tfy-resolved-model')?.split('/')[0] ?? '';
  if (broken || text.includes('"error"')) {
    const isRight = !stream || /data: \{"error":.*\}\s*$/s.test(text);
    return isRight ? { id, kind: 'cut' } : { id, kind: 'wrong', why: `no error event at the end: ${text.slice(-200)}` };
  }
  const content = stream ? streamed(text) : whole(text);
  if (content === wordsOf(account)) return { id, kind: 'whole' };
  return { id, kind: 'wrong', why: `of ${account}: ${content}` };
}

async function readAll(response: Response): Promise<{ text: string; broken: boolean }> {
  const decoder = new TextDecoder();
  let text = '';
  try {
    for await (const bytes of response.body ?? []) text += decoder.decode(bytes, { stream: true });
    return { text, broken: false };
  } catch {
    // The connection was cut: what came before counts.
    return { text, broken: true };
  }
}

function errorCode(text: string): unknown {
  try {
    return JSON.parse(text).error?.code;
  } catch {
    // No JSON: it has no code.
    return undefined;
  }
}

function whole(text: string): string {
  return JSON.parse(text).choices[0].message.content;
}

function streamed(text: string): string {
  if (!text.endsWith('data: [DONE]\n\n')) return `without its end: ${text.slice(-200)}`;
  const events = text.split('\n\n').filter((event) => event.startsWith('data: {'));
  return events.map((event) => JSON.parse(event.slice(6)).choices[0]?.delta.content ?? '').join('');
}
