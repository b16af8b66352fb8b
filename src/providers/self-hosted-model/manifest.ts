import { z } from 'zod';
import {
  accountBase,
  basicAuth,
  bearerAuth,
  integrationBase,
  integrationList,
  tlsSettings,
} from '../../config/account-schema.ts';
import { baseUrl, headerMap, optionalKey, text } from '../../config/scalar-schema.ts';

export const type = 'provider-account/self-hosted-model';

/** Servers that embed or rerank only: they come with those endpoints. */
const NOT_YET: ReadonlySet<string> = new Set(['tei', 'infinity', 'nemo-retriever', 'cohere-rerank-v2']);

const modelServer = z
  .enum(['openai-compatible', 'vllm-openai', 'tei', 'infinity', 'nemo-retriever', 'cohere-rerank-v2'])
  .superRefine((server, context) => {
    if (!NOT_YET.has(server)) return;
    context.addIssue({
      code: 'custom',
      message: 'openai-compatible or vllm-openai',
      params: { code: 'unsupported', message: 'is not supported yet' },
    });
  });

const authData = z.discriminatedUnion('type', [basicAuth, bearerAuth]);

const integration = integrationBase('integration/model/self-hosted-model')
  .omit({ model_id: true })
  .extend({
    hosted_model_name: text(512),
    url: baseUrl(),
    model_server: modelServer,
    auth_data: optionalKey(authData),
    headers: optionalKey(headerMap()),
    tls_settings: optionalKey(tlsSettings),
    tfy_application_id: optionalKey(z.string()),
  })
  .superRefine((model, context) => {
    // Two authorization headers would reach the server, which may read either.
    const doubled =
      model.auth_data && Object.keys(model.headers ?? {}).some((name) => name.toLowerCase() === 'authorization');
    if (doubled)
      context.addIssue({
        code: 'custom',
        path: ['headers'],
        message: 'headers without `authorization` where auth_data is given',
      });
  });

export type SelfHostedModel = z.output<typeof integration>;

export const manifestSchema = accountBase(type).extend({ integrations: integrationList(integration) });
