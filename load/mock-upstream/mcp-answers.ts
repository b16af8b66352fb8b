/** An MCP server of both eras with one tool, whose result is as long as a whole answer of a chat. */
import type { HttpRequest, HttpResponse } from 'uWebSockets.js';
import type { Stats } from './stats.ts';

const NEW = '2026-07-28';
const OLD = '2025-11-25';
const PREFIX = 'io.modelcontextprotocol/';
const info = { name: 'mock', version: '1' };
const capabilities = { tools: {} };
const complete = { resultType: 'complete' };
const fresh = { ...complete, ttlMs: 3_600_000, cacheScope: 'public' };
const text = 'The sluice opens a hand wide, and below the weir the mill begins to turn. '.repeat(8).trim();
const inputSchema = { type: 'object', properties: { text: { type: 'string' } }, required: ['text'] };
const tools = [{ name: 'echo', description: 'Says something.', inputSchema, annotations: { readOnlyHint: true } }];

/** Numbered in this process, so that no two sessions have the same id. */
let sessions = 0;

type Message = { id?: string | number; method?: string; params?: { _meta?: Record<string, unknown> } };

/** Undefined: this path is no server's. */
export function mcpAnswer(
  path: string,
): ((res: HttpResponse, req: HttpRequest, stats: () => Stats) => void) | undefined {
  return path.endsWith('/mcp') ? answer : undefined;
}

function answer(res: HttpResponse, req: HttpRequest, stats: () => Stats): void {
  let open = true;
  let body = '';
  stats().requests += 1;
  res.onAborted(() => {
    open = false;
  });
  // It tells nothing by itself, so it has no stream to listen to.
  if (req.getMethod() !== 'post') {
    const status = req.getMethod() === 'delete' ? '204 No Content' : '405 Method Not Allowed';
    res.cork(() => res.writeStatus(status).end());
    return;
  }
  res.onData((chunk, isLast) => {
    stats().requestBytes += chunk.byteLength;
    body += Buffer.from(chunk).toString();
    if (!isLast || !open) return;
    const { id, method = '', params }: Message = JSON.parse(body);
    if (id === undefined) {
      res.cork(() => res.writeStatus('202 Accepted').end());
      return;
    }
    const isNew = params?._meta?.[`${PREFIX}protocolVersion`] !== undefined;
    const result = resultOf(method, isNew);
    res.cork(() => {
      res.writeHeader('content-type', 'application/json');
      if (method === 'initialize') res.writeHeader('mcp-session-id', `mock-${++sessions}`);
      res.end(JSON.stringify(result ? { jsonrpc: '2.0', id, result } : unknown(id)));
    });
  });
}

function resultOf(method: string, isNew: boolean): object | undefined {
  const supportedVersions = [NEW, OLD];
  switch (method) {
    case 'server/discover':
      return { ...fresh, supportedVersions, capabilities, _meta: { [`${PREFIX}serverInfo`]: info } };
    case 'initialize':
      return { protocolVersion: OLD, capabilities, serverInfo: info };
    case 'tools/list':
      return isNew ? { ...fresh, tools } : { tools };
    case 'tools/call':
      return { ...(isNew && complete), content: [{ type: 'text', text }] };
    case 'ping':
      return {};
    default:
      return undefined;
  }
}

function unknown(id: string | number): object {
  return { jsonrpc: '2.0', id, error: { code: -32_601, message: 'Method not found' } };
}
