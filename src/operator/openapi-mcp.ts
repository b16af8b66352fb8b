import type { OpenApiPart } from '../dialects/dialect-document.ts';
import { parameter, response } from './openapi-answers.ts';
import type { DescribedOperation, DescribedPaths } from './openapi-dialects.ts';
import { ownHeaders } from './openapi-headers.ts';

/** MCP and its OAuth in the OpenAPI document (docs/mcp.md, docs/mcp-oauth.md). */

export const mcpTags = [
  { name: 'MCP', description: 'Servers of the Model Context Protocol' },
  { name: 'MCP OAuth', description: 'Sign-in of MCP clients, and consent of users at MCP servers' },
];

const inPath = (name: string, description: string) => ({
  name,
  in: 'path',
  required: true,
  description,
  schema: { type: 'string' },
});
const inQuery = (name: string, description: string) => ({ name, in: 'query', description, schema: { type: 'string' } });
const inHead = (name: string, description: string) => ({ name, in: 'header', description, schema: { type: 'string' } });

// ── the protocol ─────────────────────────────────────────────────────────────

const names: Readonly<Record<string, OpenApiPart>> = {
  name: inPath('name', 'The name of a server'),
  group: inPath('group', 'The name of a group of servers'),
  tenant: inPath('tenant', 'Any word'),
};
const rpcHeaders = [
  inHead('MCP-Protocol-Version', 'The era that the client speaks'),
  inHead('Mcp-Session-Id', 'Of the session that `initialize` began, in eras that have sessions'),
];
const events = { 'text/event-stream': { schema: { type: 'string', description: 'Messages of JSON-RPC as events' } } };
const rpc = { 'application/json': { schema: { description: 'JSON-RPC 2.0' } } };

/** Its errors are told in JSON-RPC; who has no key is told where to sign in, by `www-authenticate`. */
const rpcRefusals = {
  '400': { description: 'No message that a server could be sent', content: rpc },
  '401': { description: 'Invalid or missing API key or access token', content: rpc },
  '403': { description: 'Not from this origin, or not with this token', content: rpc },
  '404': { description: 'No such server for this caller, or no such session', content: rpc },
  '408': { description: 'The body came too slowly', content: rpc },
  '413': { description: 'The body is larger than the gateway takes', content: rpc },
  '429': { description: 'A rate limit or budget refused', content: rpc },
  '502': { description: 'The server failed', content: rpc },
  '503': { description: 'The gateway cannot serve this now', content: rpc },
  '504': { description: 'The server did not answer in time', content: rpc },
};

interface McpPath {
  /** Ends the ids of its operations. */
  readonly id: string;
  readonly about: string;
  /** Earlier versions of the reference product had it. */
  readonly deprecated?: true;
}

const MCP_PATHS: Readonly<Record<string, McpPath>> = {
  '/mcp': { id: 'Mcp', about: 'All servers that the caller may use' },
  '/mcp/v1/{name}/mcp': { id: 'McpServer', about: 'One server' },
  '/mcp/v1/{group}/{name}/mcp': { id: 'McpGroupServer', about: 'One server of a group' },
  '/mcp/{name}/server': { id: 'McpServerByName', about: 'One server', deprecated: true },
  '/mcp/{group}/{name}/server': { id: 'McpServerByGroup', about: 'One server of a group', deprecated: true },
  '/mcp-server/{group}/{name}/server': { id: 'McpServerOfGroup', about: 'One server of a group', deprecated: true },
  '/{tenant}/mcp/{name}/server': { id: 'McpServerOfTenant', about: 'One server', deprecated: true },
};

function mcpOperations(path: string, { id, about, deprecated }: McpPath): Record<string, DescribedOperation> {
  const inIt = [...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => names[name]);
  const common = {
    tags: ['MCP'],
    parameters: [...inIt, ...rpcHeaders, parameter('RequestId')],
    ...(deprecated && { deprecated }),
  };
  return {
    post: {
      ...common,
      summary: `Call MCP: ${about}`,
      description: 'One message of JSON-RPC, of any era that the gateway speaks.',
      operationId: `call${id}`,
      requestBody: { required: true, content: rpc },
      responses: {
        '200': { description: 'The answer, or a stream with it', headers: ownHeaders, content: { ...rpc, ...events } },
        '202': { description: 'A notification or an answer was taken', headers: ownHeaders },
        ...rpcRefusals,
      },
    },
    get: {
      ...common,
      summary: `Listen to MCP: ${about}`,
      description: 'A stream of what the server says by itself.',
      operationId: `listen${id}`,
      responses: { '200': { description: 'A stream', headers: ownHeaders, content: events }, ...rpcRefusals },
    },
    delete: {
      ...common,
      summary: `End a session: ${about}`,
      operationId: `end${id}`,
      responses: { '204': { description: 'It is over', headers: ownHeaders }, ...rpcRefusals },
    },
  } as Record<string, DescribedOperation>;
}

// ── OAuth ────────────────────────────────────────────────────────────────────

const OPEN: readonly object[] = [];
const account = inQuery('account', 'Which of several accounts of the user; else `default`');
const json = (properties: OpenApiPart, required: readonly string[] = []) => ({
  'application/json': {
    schema: { type: 'object', additionalProperties: true, properties, ...(required.length > 0 && { required }) },
  },
});
const html = { 'text/html': { schema: { type: 'string' } } };
const formOf = (properties: OpenApiPart, required: readonly string[]) => ({
  required: true,
  content: { 'application/x-www-form-urlencoded': { schema: { type: 'object', required, properties } } },
});
const word = { type: 'string' };
const fault = (description: string) => ({
  description,
  content: { ...json({ error: {}, error_description: word }, ['error']), ...html },
});
const refusals = {
  '400': fault('What was sent is not allowed; for a browser, as a page'),
  '403': fault('Not from this origin'),
  '404': response('NotFound'),
  '413': response('TooLarge'),
  '503': response('Unavailable'),
};

interface Page {
  readonly summary: string;
  readonly description?: string;
  readonly operationId: string;
  /** Absent: nobody needs a key. */
  readonly needsKey?: true;
  readonly parameters?: readonly object[];
  readonly requestBody?: object;
  /** Default: 200. */
  readonly status?: string;
  readonly answered: string;
  readonly content?: object;
  /** It may send the browser elsewhere. */
  readonly redirects?: true;
}

function page(told: Page): DescribedOperation {
  const { needsKey, status = '200', answered, content, redirects, ...more } = told;
  return {
    tags: ['MCP OAuth'],
    ...(needsKey ? {} : { security: OPEN }),
    ...more,
    responses: {
      [status]: { description: answered, ...(content && { content }) },
      ...(redirects && { '303': { description: 'The browser goes on elsewhere' } }),
      ...(needsKey && { '401': response('Unauthorized') }),
      ...refusals,
    },
  } as DescribedOperation;
}

const server = inPath('server', 'The name of a server; slashes of groups included');
const connectionList = json({ data: { type: 'array', items: { type: 'object', additionalProperties: true } } });
const token = json({ access_token: word, token_type: word, expires_in: { type: 'integer' }, refresh_token: word });

const oauthPaths: DescribedPaths = {
  '/.well-known/oauth-protected-resource/{path}': {
    get: page({
      summary: 'Metadata of a Protected Resource',
      description: 'RFC 9728. `path` is that of a server; without it the metadata is that of `/mcp`.',
      operationId: 'getProtectedResource',
      parameters: [inPath('path', 'The path of a server, slashes included')],
      answered: 'Where tokens for it are given',
      content: json({ resource: word, authorization_servers: { type: 'array', items: word } }, ['resource']),
    }),
  },
  '/.well-known/oauth-authorization-server': {
    get: page({
      summary: 'Metadata of the Authorization Server',
      description: 'RFC 8414.',
      operationId: 'getAuthorizationServer',
      answered: 'Its endpoints, and what it takes',
      content: json({ issuer: word, authorization_endpoint: word, token_endpoint: word }, ['issuer']),
    }),
  },
  '/mcp/oauth/client/{server}': {
    get: page({
      summary: 'Client Document',
      description: 'What the gateway is as a client of that server: a client-id metadata document.',
      operationId: 'getMcpClientDocument',
      parameters: [server],
      answered: 'The document',
      content: json({ client_id: word }),
    }),
  },
  '/mcp/oauth/register': {
    post: page({
      summary: 'Register a Client',
      description: 'RFC 7591. All clients are public, and nothing is kept of them.',
      operationId: 'registerMcpClient',
      requestBody: { required: true, content: json({ redirect_uris: { type: 'array', items: word } }) },
      status: '201',
      answered: 'The client with its id',
      content: json({ client_id: word }, ['client_id']),
    }),
  },
  '/mcp/oauth/authorize': {
    get: page({
      summary: 'Sign-in Page',
      description: 'Authorization code with PKCE (`S256`); `resource` is required (RFC 8707).',
      operationId: 'showMcpSignIn',
      parameters: [
        'client_id',
        'redirect_uri',
        'response_type',
        'state',
        'code_challenge',
        'code_challenge_method',
        'resource',
      ].map((name) => inQuery(name, 'As in OAuth 2.1')),
      answered: 'The page on which a key signs the client in',
      content: html,
      redirects: true,
    }),
    post: page({
      summary: 'Sign in',
      operationId: 'signInMcpClient',
      requestBody: formOf({ key: word, decision: word }, []),
      answered: 'The page once more, with what was wrong',
      content: html,
      redirects: true,
    }),
  },
  '/mcp/oauth/token': {
    post: page({
      summary: 'Get a Token',
      operationId: 'getMcpToken',
      requestBody: formOf({ grant_type: word, code: word, code_verifier: word, refresh_token: word }, ['grant_type']),
      answered: 'A token for one address',
      content: token,
    }),
  },
  '/mcp/oauth/revoke': {
    post: page({
      summary: 'Revoke a Token',
      description: 'RFC 7009.',
      operationId: 'revokeMcpToken',
      requestBody: formOf({ token: word }, ['token']),
      answered: 'It is good no more, or never was',
    }),
  },
  '/mcp/oauth/connect/{server}': {
    get: page({
      summary: 'Connect Page',
      operationId: 'showMcpConnect',
      parameters: [server, account],
      answered: 'The page on which a key begins the consent at the server',
      content: html,
      redirects: true,
    }),
    post: page({
      summary: 'Connect a Server',
      operationId: 'connectMcpServer',
      parameters: [server, account],
      requestBody: formOf({ key: word, decision: word }, []),
      answered: 'The page once more, with what was wrong',
      content: html,
      redirects: true,
    }),
  },
  '/mcp/oauth/callback/{server}': {
    get: page({
      summary: 'Callback of a Server',
      description: 'Where the issuer of a server sends the browser back to.',
      operationId: 'finishMcpConnect',
      parameters: [server, ...['code', 'state', 'iss', 'error'].map((name) => inQuery(name, 'As in OAuth 2.1'))],
      answered: 'What came of it, as a page',
      content: html,
      redirects: true,
    }),
  },
  '/mcp/oauth/sign-in/callback': {
    get: page({
      summary: 'Callback of the Identity Provider',
      description: 'Where the identity provider of `mcp.oidc` sends the browser back to.',
      operationId: 'finishMcpSignIn',
      parameters: ['code', 'state', 'iss', 'error'].map((name) => inQuery(name, 'As in OAuth 2.1')),
      answered: 'The page once more, with what was wrong',
      content: html,
      redirects: true,
    }),
  },
  '/mcp/oauth/connections': {
    get: page({
      summary: 'List Connections',
      description: 'What the caller connected, and what is missing with its `connect_url`; never a secret.',
      operationId: 'listMcpConnections',
      needsKey: true,
      answered: 'Connections',
      content: connectionList,
    }),
  },
  '/mcp/oauth/connections/{server}': {
    put: page({
      summary: 'Bring Values',
      description: 'Of a server that takes a header or a variable of each user.',
      operationId: 'putMcpConnection',
      needsKey: true,
      parameters: [server, account],
      requestBody: {
        required: true,
        content: json({ values: { type: 'object', additionalProperties: word } }, ['values']),
      },
      status: '204',
      answered: 'They are kept, sealed',
    }),
    delete: page({
      summary: 'Take a Connection Back',
      operationId: 'deleteMcpConnection',
      needsKey: true,
      parameters: [server, account],
      status: '204',
      answered: 'It is gone, here and at its issuer where that can be told',
    }),
  },
  '/mcp/oauth/sign-ins': {
    get: page({
      summary: 'List Sign-ins',
      description: 'Clients that the caller signed in.',
      operationId: 'listMcpSignIns',
      needsKey: true,
      answered: 'Sign-ins',
      content: connectionList,
    }),
  },
  '/mcp/oauth/sign-ins/{id}': {
    delete: page({
      summary: 'End a Sign-in',
      operationId: 'deleteMcpSignIn',
      needsKey: true,
      parameters: [inPath('id', 'Of a sign-in')],
      status: '204',
      answered: 'Its refresh token is good no more',
    }),
  },
};

export const mcpPaths: DescribedPaths = {
  ...Object.fromEntries(Object.entries(MCP_PATHS).map(([path, told]) => [path, mcpOperations(path, told)])),
  ...oauthPaths,
};
