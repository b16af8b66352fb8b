import { createPrivateKey } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { environment } from '../../config/environment.ts';
import { headerCredential } from '../base/credential.ts';
import { oauthToken, type TokenRequest } from '../base/oauth-token.ts';
import { tokenCredential, tokenSourceId } from '../base/token-credential.ts';
import type { Credential, TokenSource, Tokens } from '../credential.ts';
import type { AzureAuth } from './auth.ts';

/** The identity, and the resource of Azure that it is authorised for. */
export interface AzureAccess {
  readonly account: string;
  readonly auth: AzureAuth;
  /** Host of the resource: sovereign clouds have directories of their own. */
  readonly host: string;
  readonly service: 'cognitive-services' | 'foundry';
  readonly proxy: string | undefined;
}

/** A key stands in a header that differs with the form, or as a token does; a token is always a bearer's. */
export function azureCredential(access: AzureAccess, keyHeader: string, tokens: Tokens): Credential {
  const { auth, account } = access;
  if (auth.type === 'api-key') {
    const { api_key: key } = auth;
    return headerCredential(keyHeader === 'bearer' ? ['authorization', `Bearer ${key}`] : [keyHeader, key]);
  }
  return tokenCredential({ tokens, id: sourceId(access), account }, ({ token }) => [
    'authorization',
    `Bearer ${token}`,
  ]);
}

export function azureTokenSources(access: AzureAccess): TokenSource[] {
  const { auth, account, proxy } = access;
  if (auth.type === 'api-key') return [];
  const fetch: TokenSource['fetch'] = async (signal, http) =>
    oauthToken(http, { proxy, signal, ...(await tokenRequest(access, auth)) });
  return [{ id: sourceId(access), account, fetch }];
}

function sourceId(access: AzureAccess): string {
  return tokenSourceId(access.account, ['azure', JSON.stringify(access.auth), scopeOf(access)]);
}

type Asked = Pick<TokenRequest, 'url' | 'form' | 'headers' | 'secrets'> & { proxy?: 'none' };

/** https://learn.microsoft.com/en-us/entra/identity-platform/v2-oauth2-client-creds-grant-flow */
async function tokenRequest(access: AzureAccess, auth: Exclude<AzureAuth, { type: 'api-key' }>): Promise<Asked> {
  if (auth.type === 'managed-identity') return managedIdentityRequest(scopeOf(access), auth.client_id);
  const url = `${authorityOf(access)}/${auth.tenant_id}/oauth2/v2.0/token`;
  const { client_id } = auth;
  const form = { grant_type: 'client_credentials', client_id, scope: scopeOf(access) };
  if (auth.type === 'client-secret') {
    return { url, form: { ...form, client_secret: auth.client_secret }, secrets: [auth.client_secret] };
  }
  const client_assertion = auth.type === 'certificate' ? await signedAssertion(auth, url) : await federatedToken();
  return {
    url,
    form: { ...form, client_assertion_type: ASSERTION_TYPE, client_assertion },
    secrets: [client_assertion],
  };
}

const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';
const ASSERTION_LIFE = '10m';

/** https://learn.microsoft.com/en-us/entra/identity-platform/certificate-credentials */
async function signedAssertion(auth: Extract<AzureAuth, { type: 'certificate' }>, audience: string): Promise<string> {
  const { SignJWT } = await import('jose');
  return new SignJWT()
    .setProtectedHeader({ alg: 'RS256', typ: 'JWT', x5t: auth.certificate_thumbprint })
    .setAudience(audience)
    .setIssuer(auth.client_id)
    .setSubject(auth.client_id)
    .setJti(crypto.randomUUID())
    .setNotBefore('0s')
    .setExpirationTime(ASSERTION_LIFE)
    .sign(createPrivateKey(auth.certificate));
}

/** Read anew each time: Kubernetes renews it. https://azure.github.io/azure-workload-identity */
async function federatedToken(): Promise<string> {
  const file = environment()['AZURE_FEDERATED_TOKEN_FILE'];
  if (!file) throw new Error('AZURE_FEDERATED_TOKEN_FILE is not set: it names the file of the workload identity');
  try {
    return (await readFile(file, 'utf8')).trim();
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : 'unreadable';
    throw new Error(`AZURE_FEDERATED_TOKEN_FILE names ${file}, which cannot be read: ${code}`);
  }
}

/**
 * The endpoint that the platform gives (App Service, Container Apps), else that of the machine, neither behind a proxy.
 * https://learn.microsoft.com/en-us/azure/app-service/overview-managed-identity#rest-endpoint-reference
 * https://learn.microsoft.com/en-us/entra/identity/managed-identities-azure-resources/how-to-use-vm-token
 */
function managedIdentityRequest(scope: string, clientId: string | undefined): Asked {
  const variables = environment();
  const [endpoint, secret] = [variables['IDENTITY_ENDPOINT'], variables['IDENTITY_HEADER']];
  const machine = variables['AZURE_POD_IDENTITY_AUTHORITY_HOST'] || 'http://169.254.169.254';
  const resource = scope.replace(/\/\.default$/, '');
  const platform = endpoint && secret;
  const url = new URL(platform ? endpoint : `${machine}/metadata/identity/oauth2/token`);
  url.searchParams.set('api-version', platform ? '2019-08-01' : '2018-02-01');
  url.searchParams.set('resource', resource);
  if (clientId !== undefined) url.searchParams.set('client_id', clientId);
  const headers = platform ? ['x-identity-header', secret] : ['metadata', 'true'];
  return { url: url.href, headers, proxy: 'none', secrets: secret ? [secret] : [] };
}

/** https://learn.microsoft.com/en-us/entra/identity-platform/authentication-national-cloud */
function authorityOf({ host }: AzureAccess): string {
  const given = environment()['AZURE_AUTHORITY_HOST'];
  if (given) return given.replace(/\/+$/, '');
  if (host.endsWith('.azure.us')) return 'https://login.microsoftonline.us';
  if (host.endsWith('.azure.cn')) return 'https://login.partner.microsoftonline.cn';
  return 'https://login.microsoftonline.com';
}

function scopeOf({ host, service }: AzureAccess): string {
  const domain = host.endsWith('.azure.us') ? 'azure.us' : host.endsWith('.azure.cn') ? 'azure.cn' : 'azure.com';
  return `https://${service === 'foundry' ? 'ai' : 'cognitiveservices'}.${domain}/.default`;
}
