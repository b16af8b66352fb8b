/**
 * A deterministic OpenAI-compatible provider as a process of its own:
 *
 *   node load/mock-upstream/main.ts [--port N]
 *
 * prints `mock-upstream listening on http://127.0.0.1:PORT` once it takes requests. README.md tells what it can do.
 * It ends on SIGTERM, and when the process that forked it goes away.
 */

import { App, type HttpRequest, type HttpResponse, us_socket_local_port } from 'uWebSockets.js';
import { createHash } from 'node:crypto';
import { parseArgs } from 'node:util';
import { type Answers, answersFor, errorBody } from './answers.ts';
import { type Behaviour, behaviourOf } from './behaviour.ts';
import { converseAnswers } from './converse-answers.ts';
import { Exchange } from './exchange.ts';
import { geminiAnswers } from './gemini-answers.ts';
import { mcpAnswer } from './mcp-answers.ts';
import { mediaAnswer } from './media-answers.ts';
import { messagesAnswers } from './messages-answers.ts';
import { type Peeked, RequestPeek } from './request-peek.ts';
import { emptyStats } from './stats.ts';

const LISTEN_EXCLUSIVE_PORT = 1;
const MAX_KNOWN_NAMES = 1000;

let stats = emptyStats(0);
const ANSWERS = { chat: answersFor, messages: messagesAnswers, gemini: geminiAnswers, converse: converseAnswers };
type Form = keyof typeof ANSWERS;
/** Forms whose paths name the model, and whether it streams. */
const PATHS: readonly { form: Form; path: RegExp; streams: string }[] = [
  {
    form: 'gemini',
    path: /\/models\/([^/]+):(streamGenerateContent|generateContent)$/,
    streams: 'streamGenerateContent',
  },
  { form: 'converse', path: /\/model\/([^/]+)\/(converse-stream|converse)$/, streams: 'converse-stream' },
];

const known = new Map<string, { behaviour: Behaviour; answers: Answers; seen: number }>();

function lookUp(name: string, model: string, form: Form) {
  const key = `${form}\n${name}\n${model}`;
  let entry = known.get(key);
  if (!entry) {
    if (known.size >= MAX_KNOWN_NAMES) known.clear();
    const behaviour = behaviourOf(name);
    entry = { behaviour, answers: ANSWERS[form](model, behaviour), seen: 0 };
    known.set(key, entry);
  }
  return entry;
}

function completion(
  res: HttpResponse,
  req: HttpRequest,
  form: Form,
  told: Partial<Pick<Peeked, 'model' | 'stream'>> = {},
): void {
  const exchange = new Exchange(res, () => stats);
  const header = req.getHeader('x-mock');
  const path = req.getUrl();
  // Headers are read for every request: the request object dies with this call, and echo is known only later.
  const headers: [string, string][] = [];
  req.forEach((name, value) => {
    headers.push([name, value]);
  });
  const body = new RequestPeek();
  res.onData((chunk, isLast) => {
    body.take(Buffer.from(chunk));
    if (!isLast) return;
    stats.requestBytes += body.bytes;
    const asked = { ...body.peek(), ...told };
    stats.byModel[asked.model] = (stats.byModel[asked.model] ?? 0) + 1;
    try {
      const entry = lookUp(header ? `mock-${header.replace(/^mock-/, '')}` : asked.model, asked.model, form);
      const { times, echo } = entry.behaviour;
      entry.seen++;
      if (echo) return exchange.answerWith(200, echoed(path, headers, body));
      const healed = times > 0 && entry.seen > times;
      const behaviour = healed ? { ...entry.behaviour, status: 200, fault: 'none' as const } : entry.behaviour;
      exchange.answer(asked, behaviour, entry.answers);
    } catch (error) {
      exchange.answerWith(400, errorBody(400, (error as Error).message));
    }
  });
}

/** What arrived, told back as the content of a normal answer: shows what a gateway lets through. */
function echoed(path: string, headers: [string, string][], body: RequestPeek): string {
  const text = body.text();
  const sha256 = text === undefined ? undefined : createHash('sha256').update(text).digest('hex');
  const content = JSON.stringify({ path, headers, bodyBytes: body.bytes, sha256, body: text });
  return JSON.stringify({
    id: 'chatcmpl-mock',
    object: 'chat.completion',
    created: 1_700_000_000,
    model: 'mock-echo',
    choices: [{ index: 0, message: { role: 'assistant', content }, finish_reason: 'stop' }],
    usage: { prompt_tokens: 12, completion_tokens: 1, total_tokens: 13 },
  });
}

function json(res: HttpResponse, status: string, body: object): void {
  res.writeStatus(status).writeHeader('content-type', 'application/json').end(JSON.stringify(body));
}

const { values } = parseArgs({ options: { port: { type: 'string', default: '0' } } });

App()
  .get('/stats', (res) => json(res, '200 OK', stats))
  .post('/stats/reset', (res) => {
    stats = emptyStats(stats.open);
    for (const entry of known.values()) entry.seen = 0;
    json(res, '200 OK', stats);
  })
  .get('/*', (res, req) => {
    const mcp = mcpAnswer(req.getUrl());
    if (mcp) mcp(res, req, () => stats);
    else json(res, '200 OK', { object: 'list', data: [] });
  })
  .any('/*', (res, req) => {
    const mcp = mcpAnswer(req.getUrl());
    if (mcp) return mcp(res, req, () => stats);
    if (req.getMethod() === 'post' && req.getUrl().endsWith('/chat/completions')) return completion(res, req, 'chat');
    if (req.getMethod() === 'post' && req.getUrl().endsWith('/messages')) return completion(res, req, 'messages');
    for (const { form, path, streams } of req.getMethod() === 'post' ? PATHS : []) {
      const [, model, how] = path.exec(req.getUrl()) ?? [];
      if (model) return completion(res, req, form, { model: decodeURIComponent(model), stream: how === streams });
    }
    const media = req.getMethod() === 'post' ? mediaAnswer(req.getUrl()) : undefined;
    if (media) return media(res, () => stats);
    res.onAborted(() => {});
    json(res, '404 Not Found', { error: { message: `mock has no ${req.getUrl()}`, type: 'invalid_request_error' } });
  })
  .listen(Number(values.port), LISTEN_EXCLUSIVE_PORT, (socket) => {
    if (!socket) {
      process.stderr.write(`mock-upstream: port ${values.port} is taken\n`);
      process.exit(1);
    }
    process.stdout.write(`mock-upstream listening on http://127.0.0.1:${us_socket_local_port(socket)}\n`);
  });

process.once('SIGTERM', () => process.exit(0));
process.once('SIGINT', () => process.exit(0));
process.once('disconnect', () => process.exit(0));
