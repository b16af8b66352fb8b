/** A session of the console as a browser holds it: a cookie, and the token that its page was told. */
export interface ConsoleSession {
  readonly cookie: string;
  readonly csrf: string;
  // biome-ignore lint/suspicious/noExplicitAny: JSON of any shape, whose fields the tests look at
  readonly shown: any;
  /** As a page of the console asks. */
  ask(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<ConsoleAnswer>;
}

export interface ConsoleAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly code: string | undefined;
  // biome-ignore lint/suspicious/noExplicitAny: JSON of any shape, whose fields the tests look at
  readonly json: any;
}

export function cookieOf(headers: Headers): string {
  return headers.getSetCookie().map((each) => each.split(';')[0])[0] ?? '';
}

export async function signIn(
  operatorUrl: string,
  by: { readonly key: string } | { readonly token: string } | object,
  headers: Record<string, string> = {},
): Promise<ConsoleAnswer> {
  const answer = await fetch(`${operatorUrl}/console/session`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', origin: operatorUrl, ...headers },
    body: JSON.stringify(by),
  });
  return answerOf(answer);
}

export async function signedIn(
  operatorUrl: string,
  by: { readonly key: string } | { readonly token: string },
): Promise<ConsoleSession> {
  const answer = await signIn(operatorUrl, by);
  if (answer.status !== 200) throw new Error(`not signed in: ${answer.status} ${answer.code}`);
  return sessionOf(operatorUrl, cookieOf(answer.headers), answer.json);
}

// biome-ignore lint/suspicious/noExplicitAny: JSON of any shape, whose fields the tests look at
export function sessionOf(operatorUrl: string, cookie: string, shown: any): ConsoleSession {
  const { csrf } = shown;
  return {
    cookie,
    csrf,
    shown,
    async ask(method, path, body, headers = {}) {
      const isRead = method === 'GET' || method === 'HEAD';
      const answer = await fetch(operatorUrl + path, {
        method,
        headers: {
          cookie,
          ...(isRead ? {} : { 'x-csrf-token': csrf, origin: operatorUrl }),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        redirect: 'manual',
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      return answerOf(answer);
    },
  };
}

async function answerOf(answer: Response): Promise<ConsoleAnswer> {
  const text = await answer.text();
  const json = text.startsWith('{') ? JSON.parse(text) : undefined;
  return { status: answer.status, headers: answer.headers, json, code: json?.error?.code };
}
