import { join } from 'node:path';
import { type MessagePort, parentPort } from 'node:worker_threads';
import type { McpAuth } from '../config/mcp/mcp-servers.ts';
import { NumberMap } from '../core/number-map.ts';
import { Sweeper } from '../core/sweeper.ts';
import { Front } from '../mcp/clients/front.ts';
import { Seal } from '../mcp/clients/seal.ts';
import { AuthorizationServer } from '../mcp/oauth/authorization-server.ts';
import { asOAuthServer, ConnectFlow } from '../mcp/oauth/connect-flow.ts';
import { Connections } from '../mcp/oauth/connections.ts';
import { Discovery } from '../mcp/oauth/discovery.ts';
import { OAuthClients } from '../mcp/oauth/oauth-clients.ts';
import { OAuthFront } from '../mcp/oauth/oauth-front.ts';
import { shownConnection, shownSignIn } from '../mcp/oauth/own-grants.ts';
import { PersonSignIn } from '../mcp/oauth/person-sign-in.ts';
import { McpRows } from '../mcp/oauth/rows.ts';
import { UpstreamClients } from '../mcp/oauth/upstream-clients.ts';
import { Vault } from '../mcp/oauth/vault.ts';
import { ServerRegistry } from '../mcp/servers/registry.ts';
import { TaskIds } from '../mcp/servers/task-ids.ts';
import { ToolPins } from '../mcp/servers/tool-pins.ts';
import { OidcClient } from '../sign-in/oidc-client.ts';
import { readOrMakeSecret } from '../store/secret-file.ts';
import { createLog } from '../telemetry/log.ts';
import type {
  FromMcpPort,
  FromMcpThread,
  McpAdminAnswer,
  McpAdminQuestion,
  McpConfiguration,
  McpCounts,
  McpOutcome,
  ToMcpPort,
  ToMcpThread,
} from '../threads/mcp-messages.ts';
import type { McpRowAnswer, McpRowQuestion } from '../threads/mcp-row-messages.ts';
import { hearMessages } from '../threads/port-messages.ts';
import { collectWhenIdle } from '../threads/steady-heap.ts';
import { threadEntry } from '../threads/thread-entry.ts';
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
const seal = new Seal(secret);
const vault = new Vault(secret);
const side = sideRequests(() => configuration.server.upstream);
const now = (): number => Date.now();
const asked = new Map<number, (answer: McpRowAnswer) => void>();
const rows = new McpRows(askRows);
const connections = new Connections({
  rows,
  vault,
  http: side,
  log,
  now,
  originOf: (name) => registry.originOf(name),
  onGone: (id) => registry.dropOf(id),
});
const pinsFile = new PinsFile(join(server.dataDir, 'mcp-tools.json'), log);
const pins: ToolPins = new ToolPins({
  text: await pinsFile.read(),
  log,
  onChange: () => pinsFile.write(() => pins.text()),
});
const registry: ServerRegistry = new ServerRegistry(configuration, {
  log,
  http: { pools, sweeper: new Sweeper(), bounds: () => configuration.server.mcp },
  side,
  users: connections,
  pins,
  tasks: new TaskIds(seal),
  codeEntry: threadEntry('code-thread/code-thread'),
});
const front = new Front({ registry, seal, settings: () => configuration.server });
const flow = new ConnectFlow({
  rows,
  vault,
  http: side,
  log,
  discovery: new Discovery(side),
  clients: new UpstreamClients(rows, vault, side),
  connections,
  now,
  server: (name) => asOAuthServer(registry.manifest(name)),
});
const issuer = new AuthorizationServer({
  rows,
  vault,
  seal,
  clients: new OAuthClients(seal, side),
  settings: () => configuration.server.mcp,
  now,
});
const person = new PersonSignIn({
  secret,
  client: new OidcClient({ http: side, log, now }),
  configuration: () => configuration,
  now,
});
const oauth = new OAuthFront({ registry, issuer, flow, connections, person, rows, log });

let nextQuestion = 1;
const calls = new Map<string, { server: string; outcome: 'ok' | 'error'; count: number; ms: number }>();
let told = '';
/** The requests under way of each relay thread. */
const answering = new Set<NumberMap<PortReply>>();
let answered = 0;
const ticking = setInterval(tick, TICK_MS);

collectWhenIdle(idleMark);
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
        const manifest = registry.manifest(name);
        const auth = manifest && 'auth' in manifest ? authOf(manifest.auth) : 'none';
        return { name, kind, description, ...served.health(), auth };
      });
      send({ type: 'servers', number: message.number, servers });
      return;
    }
    case 'rows':
      asked.get(message.number)?.(message.answer);
      asked.delete(message.number);
      return;
    case 'admin':
      void answerAdmin(message.question).then((answer) => send({ type: 'admin', number: message.number, answer }));
      return;
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
  const open = new NumberMap<PortReply>();
  answering.add(open);
  hearMessages(relay, (message: ToMcpPort) => {
    if (message.type === 'abort') {
      open.take(message.id)?.gone();
    } else if (message.type === 'full') open.get(message.id)?.full(message.full);
    else if (message.type === 'held' || message.type === 'released') open.get(message.id)?.holder.heard(message);
    else if (message.type === 'question-refused') {
      const { id, about, refused } = message;
      if ('state' in about) front.refused(about.state, refused);
      else open.get(id)?.onRefused?.(about.question, refused);
    } else if (message.type === 'page') {
      const { id } = message.request;
      void oauth
        .handle(message.request)
        .then((answer) => relay.postMessage({ type: 'page', id, answer } satisfies FromMcpPort));
    } else {
      const { request } = message;
      const { maxMessageBytes } = configuration.server.mcp;
      const reply = new PortReply(
        request,
        maxMessageBytes,
        (answer) => relay.postMessage(answer),
        () => {
          open.take(request.id);
          answered += 1;
          count(reply.outcome);
        },
      );
      open.set(request.id, reply);
      front.handle(request, reply);
    }
  });
  // The relay thread ended, and with it its clients.
  relay.on('close', () => {
    answering.delete(open);
    for (const reply of open.values()) reply.gone();
  });
}

/** Undefined: somebody waits for an answer. */
function idleMark(): number | undefined {
  for (const open of answering) if (open.values().some(({ isLasting }) => !isLasting)) return undefined;
  return answered;
}

function askRows(question: McpRowQuestion): Promise<McpRowAnswer> {
  const number = nextQuestion;
  nextQuestion += 1;
  return new Promise((resolve) => {
    // The main thread always answers, also for a database that does not.
    asked.set(number, resolve);
    send({ type: 'rows', number, question });
  });
}

async function answerAdmin(question: McpAdminQuestion): Promise<McpAdminAnswer> {
  try {
    switch (question.kind) {
      case 'connections': {
        const { subject, server: name } = question;
        const found = await connections.list({ subject, server: name });
        return { data: found.map((each) => ({ subject: each.subject, ...shownConnection(each) })) };
      }
      case 'disconnect':
        return (await connections.delete({ id: question.id })) > 0 ? 'done' : 'absent';
      case 'sign-ins': {
        const found = await rows.signIns(question.subject);
        return { data: found.map((each) => ({ subject: each.subject, ...shownSignIn(each) })) };
      }
      case 'sign-out':
        return (await rows.deleteSignIn(question.id)) ? 'done' : 'absent';
    }
  } catch {
    // The database does not answer: what there is to say of it stands in its own log.
    return 'away';
  }
}

function authOf(auth: McpAuth): string {
  if (auth.type === 'header') return auth.perUser ? 'header_per_user' : 'header';
  return auth.type === 'oauth2' ? auth.grant : auth.type;
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

/** They were told to end, and are killed by then if they do not. */
function whenChildrenEnded(done: () => void): void {
  const timer = setInterval(() => {
    if (registry.children > 0) return;
    clearInterval(timer);
    done();
  }, 20);
}
