import { z } from 'zod';
import { apiKeyAuth } from '../../config/account-schema.ts';
import { optionalKey, secretText, text } from '../../config/scalar-schema.ts';
import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';
import type { Credential, TokenSource, Tokens, UnsignedRequest } from '../credential.ts';
import { awsRequestHandler } from './aws-http.ts';
import { type AwsKeys, AwsSigner, type SigningScope } from './aws-signature.ts';
import { digest, headerCredential } from './credential.ts';
import { redaction } from './redaction.ts';
import { currentToken, tokenSourceId } from './token-credential.ts';

export const awsKeys = z.object({
  type: z.literal('access-key-based'),
  access_key_id: secretText(256).describe('Of an IAM user, or of temporary credentials.'),
  secret_access_key: secretText(256).describe('Of that access key.'),
  // Ours, not of the reference manifests.
  session_token: optionalKey(secretText()).describe('Of temporary credentials, which end and are not renewed.'),
});

export const awsRole = z.object({
  type: z.literal('assumed-role-based'),
  assumed_role_arn: text(2048)
    .regex(/^arn:aws[a-z-]*:iam::\d{12}:role\/\S+$/, {
      error: 'the ARN of a role, as `arn:aws:iam::123456789012:role/name`',
    })
    .describe("The role that is assumed with the gateway's own credentials."),
  external_id: optionalKey(text(1224)).describe("What the role's trust policy asks for as `sts:ExternalId`."),
});

/** Manifests of 2025 write access keys so: they are read as `access-key-based`. */
const awsApiKey = apiKeyAuth
  .extend({
    api_key: optionalKey(apiKeyAuth.shape.api_key).describe(
      'The key that the provider gave; absent: a pair of access keys of older forms.',
    ),
    access_key: optionalKey(secretText(256)).describe('Of older forms: `access_key_id` of `access-key-based`.'),
    access_key_secret: optionalKey(secretText(256)).describe('Of older forms: its `secret_access_key`.'),
  })
  .transform(({ type, api_key, further_api_keys, access_key: id, access_key_secret: secret }, context) => {
    if (api_key !== undefined) return { type, api_key, further_api_keys };
    if (id !== undefined && secret !== undefined) {
      const keys: z.output<typeof awsKeys> = {
        type: 'access-key-based',
        access_key_id: id,
        secret_access_key: secret,
        session_token: undefined,
      };
      return keys;
    }
    const path = id === undefined ? 'api_key' : 'access_key_secret';
    context.addIssue({ code: 'custom', path: [path], message: 'a text', params: { message: 'this key is missing' } });
    return z.NEVER;
  });

/** Every way an AWS account is authorised; absent: the credentials of the surroundings, as AWS's SDKs find them. */
export const awsAuth = z.discriminatedUnion('type', [awsKeys, awsRole, awsApiKey]);

export const awsRegion = () => {
  const error = 'a region of AWS, as `us-east-1`';
  return z.string({ error }).regex(/^[a-z]{2,3}(-[a-z]+){1,3}-\d{1,2}$/, { error });
};

/** What of a manifest says how it is authorised. */
export interface AwsAccount {
  readonly name: string;
  readonly region: string;
  readonly auth_data?: z.output<typeof awsAuth> | undefined;
  /** Its own, in place of the one that the settings name. */
  readonly proxy?: string | undefined;
}

/** Host names of the partition of a region. https://docs.aws.amazon.com/general/latest/gr/rande.html */
export function awsDomain(region: string): string {
  return region.startsWith('cn-') ? 'amazonaws.com.cn' : 'amazonaws.com';
}

/** An API key goes out as a bearer token; everything else signs. */
export function awsCredential(account: AwsAccount, tokens: Tokens, scope: SigningScope): Credential {
  const { auth_data: auth } = account;
  if (auth?.type === 'api-key') return headerCredential(['authorization', `Bearer ${auth.api_key}`]);
  if (auth?.type === 'access-key-based') {
    const keys = { accessKeyId: auth.access_key_id, secretAccessKey: auth.secret_access_key };
    return keysCredential({ ...keys, sessionToken: auth.session_token }, scope);
  }
  return sessionCredential(account, tokens, scope);
}

function keysCredential(keys: AwsKeys, scope: SigningScope): Credential {
  const signer = new AwsSigner(keys, scope);
  const secrets = secretsOf(keys);
  return {
    poolKey: digest(secrets),
    signsBody: true,
    sign: (request) => signer.sign(signable(request), Date.now()),
    redact: redaction(secrets),
  };
}

/** Keys that end and are renewed on the main thread: of a role, or of the surroundings. */
function sessionCredential(account: AwsAccount, tokens: Tokens, scope: SigningScope): Credential {
  const place = { tokens, id: sourceId(account), account: account.name };
  let current: { readonly keys: AwsKeys; readonly signer: AwsSigner; readonly of: object } | undefined;
  let before: AwsKeys | undefined;
  const signerNow = (): OrError<AwsSigner> => {
    const token = currentToken(place);
    if (token instanceof GatewayError) return token;
    if (current?.of !== token) {
      const { accessKeyId = '', secretAccessKey = '', sessionToken } = token.values;
      const keys = { accessKeyId, secretAccessKey, sessionToken };
      before = current?.keys;
      current = { keys, signer: new AwsSigner(keys, scope), of: token };
    }
    return current.signer;
  };
  return {
    // A connection outlives a token: it is the source that tells accounts apart.
    poolKey: digest([place.id]),
    signsBody: true,
    sign: (request) => {
      const signer = signerNow();
      return signer instanceof GatewayError ? signer : signer.sign(signable(request), Date.now());
    },
    // A late answer may be about the keys before.
    redact: (words) => redaction([before, current?.keys].flatMap((keys) => (keys ? secretsOf(keys) : [])))(words),
  };
}

function secretsOf({ accessKeyId, secretAccessKey, sessionToken }: AwsKeys): string[] {
  return [accessKeyId, secretAccessKey, ...(sessionToken === undefined ? [] : [sessionToken])];
}

/** A signed header that a proxy in between changes (`traceparent`, `accept`) makes the signature wrong. */
function signable(request: UnsignedRequest): UnsignedRequest {
  const { headers } = request;
  const signed: string[] = [];
  for (let at = 0; at < headers.length; at += 2) {
    const name = headers[at]!.toLowerCase();
    if (name === 'content-type' || name.startsWith('x-amz-')) signed.push(name, headers[at + 1]!);
  }
  return { ...request, headers: signed };
}

/** Keys without an end, as those of the environment, are looked up anew so often: files change. */
const RECHECK_MS = 900_000;

/** Where an account gets the keys that it has not itself. */
export function awsTokenSources(account: AwsAccount): TokenSource[] {
  const { auth_data: auth, name } = account;
  if (auth !== undefined && auth.type !== 'assumed-role-based') return [];
  return [
    {
      id: sourceId(account),
      account: name,
      async fetch(signal, http) {
        const handler = awsRequestHandler(http, signal, account.proxy);
        const { accessKeyId, secretAccessKey, sessionToken, expiration } = await (await providerOf(account, handler))();
        return {
          values: { accessKeyId, secretAccessKey, ...(sessionToken !== undefined && { sessionToken }) },
          expiresAtMs: expiration?.getTime() ?? Date.now() + RECHECK_MS,
        };
      },
    },
  ];
}

/** A new one for each fetch, since they keep what they found until it ends. */
async function providerOf(
  { auth_data: auth, name, region }: AwsAccount,
  requestHandler: ReturnType<typeof awsRequestHandler>,
) {
  // Only here: it is large, and most accounts need none of it.
  const { fromNodeProviderChain, fromTemporaryCredentials } = await import('@aws-sdk/credential-providers');
  const clientConfig = { region, requestHandler };
  if (auth?.type !== 'assumed-role-based') return fromNodeProviderChain({ clientConfig });
  const RoleSessionName = `sluice-${name}`.slice(0, 64);
  const params = { RoleArn: auth.assumed_role_arn, ExternalId: auth.external_id, RoleSessionName };
  return fromTemporaryCredentials({ clientConfig, params });
}

function sourceId({ auth_data: auth, name, region }: AwsAccount): string {
  const role = auth?.type === 'assumed-role-based' ? [auth.assumed_role_arn, auth.external_id ?? ''] : [];
  return tokenSourceId(name, ['aws', region, ...role]);
}
