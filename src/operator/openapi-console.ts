const error = (description: string) => ({
  description,
  content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
});

const ways = {
  type: 'object',
  description: 'How somebody may sign in here',
  required: ['key', 'oidc', 'token'],
  properties: { key: { type: 'boolean' }, oidc: { type: 'boolean' }, token: { type: 'boolean' } },
};

const session = {
  type: 'object',
  required: ['signed_in', 'sign_in'],
  properties: {
    signed_in: { type: 'boolean' },
    sign_in: ways,
    role: { type: 'string', enum: ['viewer', 'operator', 'admin'] },
    data: { type: 'string', enum: ['own', 'team', 'all'], description: 'Whose data is shown' },
    subject: { type: 'string' },
    read_only: { type: 'boolean', description: 'Nothing is changed, whatever the role' },
    csrf: { type: 'string', description: 'Sent as `x-csrf-token` with whatever is no GET' },
    ends_at: { type: 'string', format: 'date-time' },
  },
};

const shown = (description: string) => ({
  description,
  content: { 'application/json': { schema: session } },
});
const base = { tags: ['Console'], security: [] };
const redirect = (description: string) => ({
  description,
  headers: { location: { schema: { type: 'string' } }, 'set-cookie': { schema: { type: 'string' } } },
});

/** Sign-in to the console, and sign-out; all of it on the operator's own port. */
export function consolePaths(operatorUrl: string): Record<string, object> {
  const servers = [{ url: operatorUrl, description: 'Operator port, not the port of clients' }];
  return {
    '/console/session': {
      servers,
      get: {
        ...base,
        summary: 'Who is signed in by the cookie of this request, and how one may sign in',
        operationId: 'getConsoleSession',
        responses: { '200': shown('Also where nobody is signed in') },
      },
      post: {
        ...base,
        summary: 'Signs in with a key, or with the one-time token that a start without admin key printed',
        operationId: 'postConsoleSession',
        requestBody: {
          required: true,
          content: {
            'application/json': {
              schema: {
                oneOf: ['key', 'token'].map((name) => ({
                  type: 'object',
                  required: [name],
                  additionalProperties: false,
                  properties: { [name]: { type: 'string' } },
                })),
              },
            },
          },
        },
        responses: {
          '200': shown('The answer sets the cookie of the session'),
          '400': error('It is no JSON with a key or a token'),
          '401': error('The key or the token is not one of those that are let in'),
          '403': error('Who it is has no role in the console, or another site asked'),
          '429': error('Too many sign-ins from this address failed'),
        },
      },
      delete: {
        ...base,
        summary: 'Signs out',
        operationId: 'deleteConsoleSession',
        responses: {
          '204': { description: 'The session is over' },
          '403': error('`x-csrf-token` is not that of the session'),
        },
      },
    },
    '/console/sign-in/oidc': {
      servers,
      get: {
        ...base,
        summary: 'Sends the browser to the identity provider of `console.oidc`',
        operationId: 'getConsoleSignInOidc',
        responses: {
          '303': redirect('To the provider, or back to the console with why not'),
          '404': error('None is configured'),
        },
      },
    },
    '/console/sign-in/oidc/callback': {
      servers,
      get: {
        ...base,
        summary: 'Where the identity provider sends the browser back to',
        operationId: 'getConsoleSignInOidcCallback',
        parameters: ['code', 'state', 'iss', 'error'].map((name) => ({
          name,
          in: 'query',
          schema: { type: 'string' },
        })),
        responses: {
          '303': redirect('To the console, signed in, or with why not'),
          '404': error('None is configured'),
        },
      },
    },
  };
}

export const CONSOLE_TAG = { name: 'Console', description: 'On the operator port: sign-in of browsers' };
