import { join } from 'node:path';
import { type MessagePort, parentPort } from 'node:worker_threads';
import { Sweeper } from '../core/sweeper.ts';
import { Front } from '../mcp/clients/front.ts';
import { Seal } from '../mcp/clients/seal.ts';
import { ServerRegistry } from '../mcp/servers/registry.ts';
import { ToolPins } from '../mcp/servers/tool-pins.ts';
import { readOrMakeSecret } from '../store/secret-file.ts';
import { createLog } from '../telemetry/log.ts';
import type {
  FromMcpThread,
  McpConfiguration,
  McpCounts,
  McpOutcome,
  ToMcpPort,
  ToMcpThread,
} from '../threads/mcp-messages.ts';
import { OriginPools } from '../upstream/origin-pools.ts';
import { sideRequests } from '../upstream/side-requests.ts';
import { PinsFile } from './pins-file.ts';
import { PortReply } from './port-reply.ts';

/** How often idle sessions are looked for, and counts are told. */
const TICK_MS = 1_000;

const port = parentPort!;
const send = (message: FromMcpThread): void => port.postMessage(message);

type LaterMessage = Exclude<ToMcpThread, { type: 'begin' }>;
const early: LaterMessage[] = [];
let hear = (message: LaterMessage): void => void early.push(message);
const begun = await new Promise<McpConfiguration>((resolve) => {
  port.on('message', (message: ToMcpThread) => {
    if (message.type === 'begin') resolve(message.data.configuration);
    else hear(message);
  });
});

let configuration = begun;
const { server } = begun;
const log = createLog(server.log.level, { write: (lines) => send({ type: 'log', line: String(lines) }) });
process.on('uncaughtException', (error) => log.error({ error }, 'uncaught in the thread of MCP'));
process.on('unhandledRejection', (error) => log.error({ error }, 'unhandled in the thread of MCP'));

const pools = new OriginPools(server.limits, server.timeouts, server.upstream);
const secret =
  server.mcp.secret ??
  (await readOrMakeSecret(
    join(server.dataDir, 'mcp.key'),
    () => crypto.randomUUID() + crypto.randomUUID(),
    (message) => log.warn({}, message),
  ));
const pinsFile = new PinsFile(join(server.dataDir, 'mcp-tools.json'), log);
const pins: ToolPins = new ToolPins({
  text: await pinsFile.read(),
  log,
  onChange: () => pinsFile.write(() => pins.text()),
});
const registry = new ServerRegistry(configuration, {
  log,
  http: { pools, sweeper: new Sweeper(), bounds: () => configuration.server.mcp },
  side: sideRequests(() => configuration.server.upstream),
  users: { valuesOf: async () => undefined },
  pins,
  codeEntry: entryOf('code-thread'),
});
const front = new Front({ registry, seal: new Seal(secret), settings: () => configuration.server });

const calls = new Map<string, { server: string; outcome: 'ok' | 'error'; count: number; ms: number }>();
let told = '';
const ticking = setInterval(tick, TICK_MS);

hear = onMessage;
for (const message of early) onMessage(message);

function onMessage(message: LaterMessage): void {
  switch (message.type) {
    case 'reconfigure':
      configuration = message.configuration;
      log.level = configuration.server.log.level;
      registry.reconfigure(configuration);
      return;
    case 'port':
      serve(message.port);
      return;
    case 'servers': {
      const servers = registry.list().map((served) => {
        const { name, kind, description } = served;
        return { name, kind, description, ...served.health() };
      });
      send({ type: 'servers', number: message.number, servers });
      return;
    }
    case 'approve': {
      const approved = pins.approve(message.server, message.tools);
      send({ type: 'approved', number: message.number, approved });
      return;
    }
    case 'close':
      clearInterval(ticking);
      front.close();
      registry.close();
      pools.destroy();
      whenChildrenEnded(async () => {
        await pinsFile.flush();
        send({ type: 'closed' });
        port.close();
      });
  }
}

/** Requests of one relay thread. */
function serve(relay: MessagePort): void {
  const open = new Map<number, PortReply>();
  relay.on('message', (message: ToMcpPort) => {
    if (message.type === 'abort') {
      open.get(message.id)?.gone();
      open.delete(message.id);
    } else if (message.type === 'full') open.get(message.id)?.full(message.full);
    else if (message.type === 'held') open.get(message.id)?.holder.heard(message);
    else {
      const { request } = message;
      const { maxMessageBytes } = configuration.server.mcp;
      const reply = new PortReply(
        request,
        maxMessageBytes,
        (answer) => relay.postMessage(answer),
        () => {
          open.delete(request.id);
          count(reply.outcome);
        },
      );
      open.set(request.id, reply);
      front.handle(request, reply);
    }
  });
  // The relay thread ended, and with it its clients.
  relay.on('close', () => {
    for (const reply of open.values()) reply.gone();
    open.clear();
  });
}

function count({ server: name, tool, failed, upstreamMs }: McpOutcome): void {
  if (tool === undefined || name === undefined) return;
  const outcome = failed ? 'error' : 'ok';
  const key = `${outcome} ${name}`;
  const known = calls.get(key) ?? { server: name, outcome, count: 0, ms: 0 };
  known.count += 1;
  known.ms += upstreamMs;
  calls.set(key, known);
}

function tick(): void {
  front.closeIdle();
  registry.closeIdle();
  const counts: McpCounts = {
    clientSessions: front.sessions,
    serverSessions: registry.sessions,
    children: registry.children,
    calls: [...calls.values()],
    changedTools: registry.list().map(({ name }) => ({ server: name, count: pins.changed(name).length })),
  };
  const text = JSON.stringify(counts);
  if (text !== told) send({ type: 'counts', counts });
  told = text;
}

/** `.ts` in a clone, `.js` in the published package. */
function entryOf(thread: string): URL {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  return new URL(`../${thread}/${thread}.${extension}`, import.meta.url);
}

/** They were told to end, and are killed by then if they do not. */
function whenChildrenEnded(done: () => void): void {
  const timer = setInterval(() => {
    if (registry.children > 0) return;
    clearInterval(timer);
    done();
  }, 20);
}
