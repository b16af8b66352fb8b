import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { isObject, stringOf } from '../../codec/json-value.ts';
import { environment } from '../../config/environment.ts';
import type { HttpClient } from '../../core/http-client.ts';
import { headerCredential } from '../base/credential.ts';
import { oauthToken } from '../base/oauth-token.ts';
import { readProviderFault } from '../base/provider-fault.ts';
import { redaction } from '../base/redaction.ts';
import { tokenCredential, tokenSourceId } from '../base/token-credential.ts';
import type { Credential, FetchedToken, TokenSource, Tokens } from '../credential.ts';
import { type CredentialFile, credentialFile } from './credential-file.ts';
import type { VertexAccount, VertexAuth } from './manifest.ts';

const SCOPE = 'https://www.googleapis.com/auth/cloud-platform';
const TIMEOUT_MS = 20_000;
const MAX_BYTES = 1024 * 1024;
/** Where an answer does not say how long its token lives. */
const USUAL_LIFE_MS = 3_600_000;

function vertexTokenSourceId({ name, auth_data: auth }: Pick<VertexAccount, 'name' | 'auth_data'>): string {
  return tokenSourceId(name, ['google', JSON.stringify(auth ?? 'ambient')]);
}

export function vertexTokenSource(account: Pick<VertexAccount, 'name' | 'auth_data' | 'proxy'>): TokenSource {
  const { name, auth_data: auth, proxy } = account;
  return {
    id: vertexTokenSourceId(account),
    account: name,
    fetch: (signal, http) => fetchToken(auth, { signal, http, proxy }),
  };
}

/** A key, or a token with the project that is billed for it. */
export function vertexCredential(account: Pick<VertexAccount, 'name' | 'auth_data'>, tokens: Tokens): Credential {
  const { auth_data: auth, name } = account;
  if (auth?.type === 'api-key') return headerCredential(['x-goog-api-key', auth.api_key]);
  return tokenCredential({ tokens, id: vertexTokenSourceId(account), account: name }, ({ token, project }) => [
    'authorization',
    `Bearer ${token}`,
    ...(project === undefined ? [] : ['x-goog-user-project', project]),
  ]);
}

interface Way {
  readonly signal: AbortSignal;
  readonly http: HttpClient;
  /** The account's own. */
  readonly proxy: string | undefined;
}

async function fetchToken(auth: VertexAuth, way: Way): Promise<FetchedToken> {
  const file = auth && auth.type !== 'api-key' ? auth.key_file_content : await ambientFile();
  return file === undefined ? metadataToken(way) : fileToken(file, way);
}

/** https://cloud.google.com/docs/authentication/application-default-credentials; undefined: there is none. */
async function ambientFile(): Promise<CredentialFile | undefined> {
  const variables = environment();
  const [named, folder, home] = ['GOOGLE_APPLICATION_CREDENTIALS', 'CLOUDSDK_CONFIG', 'HOME'].map(
    (name) => variables[name],
  );
  const file =
    named || join(folder || join(home || homedir(), '.config/gcloud'), 'application_default_credentials.json');
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if (!named) return undefined;
    const code = error instanceof Error && 'code' in error ? error.code : 'unreadable';
    throw new Error(`GOOGLE_APPLICATION_CREDENTIALS names ${file}, which cannot be read: ${code}`);
  }
  const read = credentialFile.safeParse(jsonOf(text));
  if (read.success) return read.data;
  throw new Error(`${file} is no credential of a service account, a user or a federation`);
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // A parser's words may quote the file: whoever reads the value says what it should have been.
    return undefined;
  }
}

async function fileToken(file: CredentialFile, way: Way): Promise<FetchedToken> {
  try {
    const { token, expiresAtMs } = await tokenOf(file, way);
    const { quota_project_id: project } = file;
    return { values: { token, ...(project !== undefined && { project }) }, expiresAtMs };
  } catch (error) {
    throw new Error(redaction(secretsOf(file))(error instanceof Error ? error.message : String(error)));
  }
}

function secretsOf(file: CredentialFile): string[] {
  if (file.type === 'impersonated_service_account') return secretsOf(file.source_credentials);
  if (file.type === 'service_account') return [file.private_key];
  if (file.type === 'authorized_user') return [file.client_secret, file.refresh_token];
  return file.client_secret === undefined ? [] : [file.client_secret];
}

interface PlainToken {
  readonly token: string;
  readonly expiresAtMs: number;
}

async function tokenOf(file: CredentialFile, way: Way): Promise<PlainToken> {
  if (file.type === 'impersonated_service_account') {
    return impersonated(file, await tokenOf(file.source_credentials, way), way);
  }
  // Only here: it is large, and metadata server and API keys do without it. Anew each time, since it keeps its token.
  const client = clientOf(file, await import('google-auth-library'), fetchThrough(way));
  const { token } = await client.getAccessToken();
  if (!token) throw new Error('the answer holds no token');
  return { token, expiresAtMs: client.credentials.expiry_date ?? Date.now() + USUAL_LIFE_MS };
}

type Library = typeof import('google-auth-library');

/** Each kind by its own class: what makes them of any file warns on the standard error, and would take other kinds too. */
function clientOf(
  file: Exclude<CredentialFile, { type: 'impersonated_service_account' }>,
  { AwsClient, gaxios, IdentityPoolClient, JWT, PluggableAuthClient, UserRefreshClient }: Library,
  fetchImplementation: typeof fetch,
) {
  const transporter = new gaxios.Gaxios({ fetchImplementation });
  const scopes = [SCOPE];
  if (file.type === 'service_account') {
    const { client_email: email, private_key: key, private_key_id: keyId } = file;
    return new JWT({ email, key, scopes, transporter, ...(keyId !== undefined && { keyId }) });
  }
  if (file.type === 'authorized_user') {
    const { client_id: clientId, client_secret: clientSecret, refresh_token: refreshToken } = file;
    return new UserRefreshClient({ clientId, clientSecret, refreshToken, transporter });
  }
  const { credential_source: source } = file;
  const options = { ...file, scopes, transporter };
  const client =
    'environment_id' in source
      ? new AwsClient({ ...options, credential_source: source })
      : 'executable' in source
        ? new PluggableAuthClient({ ...options, credential_source: source })
        : new IdentityPoolClient({ ...options, credential_source: source });
  // The library gives the exchange itself a transporter of its own, which would go past proxy and authorities.
  const exchange: unknown = Reflect.get(client, 'stsCredential');
  if (typeof exchange === 'object' && exchange !== null) Reflect.set(exchange, 'transporter', transporter);
  return client;
}

/** https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/generateAccessToken */
async function impersonated(
  {
    service_account_impersonation_url: url,
    delegates,
  }: Extract<CredentialFile, { type: 'impersonated_service_account' }>,
  { token }: PlainToken,
  { http, signal, proxy }: Way,
): Promise<PlainToken> {
  const answer = await http({
    url,
    method: 'POST',
    headers: ['authorization', `Bearer ${token}`, 'content-type', 'application/json'],
    body: JSON.stringify({ scope: [SCOPE], delegates, lifetime: `${USUAL_LIFE_MS / 1000}s` }),
    timeoutMs: TIMEOUT_MS,
    maxBytes: MAX_BYTES,
    signal,
    proxy,
  });
  const said = jsonOf(answer.body.toString());
  const given = isObject(said) ? stringOf(said['accessToken']) : undefined;
  const expiresAtMs = isObject(said) ? Date.parse(stringOf(said['expireTime']) ?? '') : Number.NaN;
  if (given !== undefined && expiresAtMs > 0) return { token: given, expiresAtMs };
  const reason = readProviderFault(answer.body).message ?? 'no reason given';
  throw new Error(`the service account cannot be impersonated: ${answer.status}: ${reason}`);
}

/** https://cloud.google.com/compute/docs/access/authenticate-workloads#applications */
async function metadataToken({ signal, http }: Way): Promise<FetchedToken> {
  const host = environment()['GCE_METADATA_HOST'] || '169.254.169.254';
  const url = `http://${host}/computeMetadata/v1/instance/service-accounts/default/token`;
  try {
    return await oauthToken(http, { url, headers: ['metadata-flavor', 'Google'], proxy: 'none', signal });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`there is no auth_data, no file of credentials, and no token of a metadata server: ${reason}`);
  }
}

/** Reached from the machine itself alone: metadata servers, also those of other clouds that a federation asks. */
const LINK_LOCAL = /^(169\.254\.|metadata\.google\.internal|\[fd00:ec2::254\])/;

/** The library's requests on our way: its own would not know the proxy and the authorities of the configuration. */
function fetchThrough({ signal, http, proxy }: Way): typeof fetch {
  return async (input, init) => {
    const url = new URL(input instanceof Request ? input.url : input);
    const headers = new Headers(init?.headers);
    const { body } = init ?? {};
    if (body instanceof URLSearchParams && !headers.has('content-type')) {
      headers.set('content-type', 'application/x-www-form-urlencoded');
    }
    const answer = await http({
      url: url.href,
      method: init?.method?.toUpperCase() === 'POST' ? 'POST' : 'GET',
      headers: [...headers].flat(),
      ...(body !== null && body !== undefined && { body: typeof body === 'string' ? body : await bodyText(body) }),
      timeoutMs: TIMEOUT_MS,
      maxBytes: MAX_BYTES,
      signal,
      proxy: LINK_LOCAL.test(url.hostname) ? 'none' : proxy,
    });
    const told = new Headers();
    for (const [name, value] of Object.entries(answer.headers)) told.set(name, [value].flat().join(', '));
    return new Response(answer.body.length === 0 ? null : answer.body, { status: answer.status, headers: told });
  };
}

function bodyText(body: NonNullable<RequestInit['body']>): Promise<string> {
  return new Response(body).text();
}
