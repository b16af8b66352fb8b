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
import type { ModelType } from '../../inference/operation.ts';

export const type = 'provider-account/self-hosted-model';

const modelServer = z.enum([
  'openai-compatible',
  'vllm-openai',
  'tei',
  'infinity',
  'nemo-retriever',
  'cohere-rerank-v2',
]);
export type ModelServer = z.output<typeof modelServer>;

/** Servers that do nothing else; the others serve whatever their model can. */
const MODEL_TYPES: Readonly<Partial<Record<ModelServer, readonly ModelType[]>>> = {
  tei: ['embedding', 'rerank'],
  infinity: ['embedding', 'rerank'],
  'nemo-retriever': ['embedding', 'rerank'],
  'cohere-rerank-v2': ['rerank'],
};

const authData = z.discriminatedUnion('type', [basicAuth, bearerAuth]);

const integration = integrationBase('integration/model/self-hosted-model', ['integration/model/custom'])
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
    const served = MODEL_TYPES[model.model_server];
    for (const [index, type] of model.model_types.entries()) {
      if (served === undefined || served.includes(type)) continue;
      context.addIssue({
        code: 'custom',
        path: ['model_types', index],
        message: `${served.join(' or ')}, which is all that \`${model.model_server}\` serves`,
      });
    }
  });

export type SelfHostedModel = z.output<typeof integration>;

export const manifestSchema = accountBase(type).extend({ integrations: integrationList(integration) });
