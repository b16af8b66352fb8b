import { INFERENCE_PARAMETERS, PROVIDER_REFUSALS } from './openapi-answers.ts';
import { ownHeaders, upstreamHeaders } from './openapi-headers.ts';

/** What passes as it is, in the OpenAPI document (docs/passthrough.md). */

const METHODS = ['get', 'post', 'put', 'patch', 'delete'] as const;
const anything = { 'application/json': { schema: {} }, '*/*': { schema: { type: 'string', format: 'binary' } } };

interface Passed {
  readonly id: string;
  readonly summary: string;
  /** What its path parameters are, by name. */
  readonly parameters: Readonly<Record<string, string>>;
}

const account = 'The name of the account';
const rest = 'The path at the provider, slashes included';

const PASSED: Readonly<Record<string, Passed>> = {
  '/proxy-api/{account}/{endpoint}/{path}': {
    id: 'Endpoint',
    summary: 'Ask an endpoint of one’s own',
    parameters: { account, endpoint: 'The name of an endpoint, or the slug of the account', path: rest },
  },
  '/gemini/{account}/proxy/{path}': {
    id: 'Gemini',
    summary: 'Ask Gemini in its own form',
    parameters: { account, path: rest },
  },
  '/bedrock/proxy/{path}': { id: 'Bedrock', summary: 'Ask Bedrock in its own form', parameters: { path: rest } },
  '/stt/{account}/{path}': {
    id: 'SpeechToText',
    summary: 'Ask a vendor of audio in its own form',
    parameters: { account, path: rest },
  },
  '/tts/{account}/{path}': {
    id: 'TextToSpeech',
    summary: 'Ask a vendor of audio in its own form',
    parameters: { account, path: rest },
  },
  '/fine_tuning/{path}': {
    id: 'FineTuning',
    summary: 'Ask for fine-tuning; the header x-tfy-provider-name names the account',
    parameters: { path: rest },
  },
};

export const passedTag = {
  name: 'Passthrough',
  description:
    'Requests that pass as they are. Any other path of a provider passes in the same way where the header x-tfy-provider-name names an account',
};

export const passedPaths = Object.fromEntries(
  Object.entries(PASSED).map(([path, passed]) => [
    path,
    Object.fromEntries(METHODS.map((method) => [method, operation(method, passed)])),
  ]),
);

function operation(method: string, { id, summary, parameters }: Passed) {
  const hasBody = method !== 'get' && method !== 'delete';
  return {
    summary,
    description: 'Request and answer pass as they are, with the credential of the account in the place of the key.',
    operationId: `${method}${id}`,
    tags: [passedTag.name],
    parameters: [
      ...Object.entries(parameters).map(([name, description]) => ({
        name,
        in: 'path',
        required: true,
        description,
        schema: { type: 'string' },
      })),
      ...INFERENCE_PARAMETERS,
    ],
    ...(hasBody && { requestBody: { content: anything } }),
    responses: {
      '200': {
        description: 'What the provider answers, with its own status',
        headers: { ...ownHeaders, ...upstreamHeaders },
        content: anything,
      },
      ...PROVIDER_REFUSALS,
    },
  };
}
