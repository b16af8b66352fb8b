/** The account that is meant where a user has several at one server and none is named. */
export const DEFAULT_ACCOUNT = 'default';

const ACCOUNT = /^[A-Za-z0-9._-]{1,64}$/;

function isAccount(account: string): boolean {
  return ACCOUNT.test(account);
}

/** Where a user agrees. It holds nothing secret: whoever opens it signs in, and connects for herself. */
export function connectUrl(base: string, server: string, account = DEFAULT_ACCOUNT): string {
  const url = `${base}/mcp/oauth/connect/${encodedServer(server)}`;
  return account === DEFAULT_ACCOUNT ? url : `${url}?account=${account}`;
}

/** `group/name` has a slash of its own. */
export function encodedServer(server: string): string {
  return server.split('/').map(encodeURIComponent).join('/');
}

/** `account` of a query; undefined: it is none. */
export function accountIn(query: string): string | undefined {
  const account = new URLSearchParams(query).get('account') ?? DEFAULT_ACCOUNT;
  return isAccount(account) ? account : undefined;
}
