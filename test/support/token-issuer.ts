import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, type JWK, SignJWT } from 'jose';

export interface IssuerKeyPair {
  readonly kid: string;
  readonly alg: 'EdDSA' | 'RS256' | 'ES256';
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
  readonly jwk: JWK;
}

export async function keyPair(kid: string, alg: IssuerKeyPair['alg'] = 'RS256'): Promise<IssuerKeyPair> {
  const { privateKey, publicKey } =
    alg === 'RS256'
      ? generateKeyPairSync('rsa', { modulusLength: 2048 })
      : alg === 'ES256'
        ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
        : generateKeyPairSync('ed25519');
  return { kid, alg, privateKey, publicKey, jwk: { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' } };
}

/** A token of `issuer` for an hour; `claims` and `head` stand over what it would say by itself. */
export function signToken(pair: IssuerKeyPair, claims: object, head: object = {}): Promise<string> {
  const now = Math.floor(Date.now() / 1000);
  return new SignJWT({ iat: now, exp: now + 3600, ...claims })
    .setProtectedHeader({ alg: pair.alg, kid: pair.kid, ...head })
    .sign(pair.privateKey);
}

/** An identity provider, as far as others see it: one address with its public keys, on a real socket. */
export class TokenIssuer implements AsyncDisposable {
  keys: JWK[] = [];
  cacheControl = 'max-age=3600';
  /** Times it was asked. */
  asked = 0;
  /** In place of the keys. */
  answer: ((request: IncomingMessage, response: ServerResponse) => void) | undefined;
  readonly #server = createServer((request, response) => this.#onRequest(request, response));
  #port = 0;

  static async start(...pairs: IssuerKeyPair[]): Promise<TokenIssuer> {
    const issuer = new TokenIssuer();
    issuer.keys = pairs.map((pair) => pair.jwk);
    await issuer.listen();
    return issuer;
  }

  get issuer(): string {
    return `http://127.0.0.1:${this.#port}/`;
  }

  get jwksUri(): string {
    return `${this.issuer}keys`;
  }

  /** Again on the same port, after `away`. */
  async listen(): Promise<void> {
    this.#server.listen(this.#port, '127.0.0.1');
    await once(this.#server, 'listening');
    const { port } = this.#server.address() as AddressInfo;
    this.#port = port;
  }

  async away(): Promise<void> {
    this.#server.closeAllConnections();
    if (this.#server.listening) await new Promise((resolve) => this.#server.close(resolve));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.away();
  }

  #onRequest(request: IncomingMessage, response: ServerResponse): void {
    this.asked += 1;
    if (this.answer) {
      this.answer(request, response);
      return;
    }
    response.writeHead(200, { 'content-type': 'application/json', 'cache-control': this.cacheControl });
    response.end(JSON.stringify({ keys: this.keys }));
  }
}
