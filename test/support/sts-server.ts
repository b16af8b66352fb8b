import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { SigningKeys } from './signed-request.ts';

/** AWS's token service on a real socket, as far as roles are assumed there. */
export interface StsServer extends AsyncDisposable {
  readonly origin: string;
  /** What was asked, in order. */
  readonly asked: URLSearchParams[];
  /** What the next calls get: keys and how long they live, or a refusal with these words. */
  next: (SigningKeys & { lifeMs: number }) | string;
}

export async function startSts(next: StsServer['next'], tls?: { key: string; cert: string }): Promise<StsServer> {
  const asked: URLSearchParams[] = [];
  const answer: RequestListener = (incoming, response) => {
    let body = '';
    incoming.on('data', (bytes: Buffer) => {
      body += bytes.toString();
    });
    incoming.on('end', () => {
      asked.push(new URLSearchParams(body));
      const { next: given } = sts;
      response.writeHead(typeof given === 'string' ? 403 : 200, { 'content-type': 'text/xml' });
      response.end(typeof given === 'string' ? refusal(given) : assumed(given));
    });
  };
  const server = tls ? createSecureServer(tls, answer) : createServer(answer);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const sts: StsServer = {
    origin: `${tls ? 'https' : 'http'}://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    next,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
    },
  };
  return sts;
}

function assumed({ accessKeyId, secretAccessKey, sessionToken, lifeMs }: SigningKeys & { lifeMs: number }): string {
  return `<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>
<AccessKeyId>${accessKeyId}</AccessKeyId><SecretAccessKey>${secretAccessKey}</SecretAccessKey>
<SessionToken>${sessionToken}</SessionToken><Expiration>${new Date(Date.now() + lifeMs).toISOString()}</Expiration>
</Credentials><AssumedRoleUser><Arn>arn:aws:sts::1:assumed-role/r/s</Arn><AssumedRoleId>A:s</AssumedRoleId></AssumedRoleUser>
</AssumeRoleResult><ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></AssumeRoleResponse>`;
}

function refusal(message: string): string {
  return `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type>
<Code>AccessDenied</Code><Message>${message}</Message></Error><RequestId>1</RequestId></ErrorResponse>`;
}

/** The environment of a process that is to use it, with keys of its own and nothing else of the surroundings. */
export function stsEnvironment(sts: { origin: string }): Record<string, string> {
  return {
    AWS_ENDPOINT_URL_STS: sts.origin,
    AWS_ACCESS_KEY_ID: 'AKIAGATEWAY',
    AWS_SECRET_ACCESS_KEY: 'gateway-secret',
    AWS_EC2_METADATA_DISABLED: 'true',
    AWS_CONFIG_FILE: '/nonexistent',
    AWS_SHARED_CREDENTIALS_FILE: '/nonexistent',
  };
}
