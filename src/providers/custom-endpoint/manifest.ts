import { z } from 'zod';
import {
  accountBase,
  basicAuth,
  bearerAuth,
  integrationBase,
  integrationList,
  tlsSettings,
} from '../../config/account-schema.ts';
import {
  amount,
  baseUrl,
  headerMap,
  optionalKey,
  restricting,
  restrictingKey,
  text,
  wholeNumber,
} from '../../config/scalar-schema.ts';

export const type = 'provider-account/custom-endpoint';

/** The gateway makes them for each connection and each body. */
const OF_THE_CONNECTION = /^(connection|content-length|expect|keep-alive|te|trailer|transfer-encoding|upgrade)$/i;
const endpointHeaders = () =>
  headerMap().refine((headers) => !Object.keys(headers).some((name) => OF_THE_CONNECTION.test(name)), {
    error: 'headers without those of the connection and of the length of a body, which the gateway makes',
  });

const headerAuth = z.object({
  type: z.literal('header'),
  headers: endpointHeaders().describe('Sent with every request; all of them are taken for secrets.'),
});
// The latter two are ours, not of the reference manifests.
const authData = z.discriminatedUnion('type', [headerAuth, bearerAuth, basicAuth]);
export type EndpointAuth = z.output<typeof authData>;

const statusError = 'a status from 400 to 599';
const statusCode = z
  .union([z.string(), z.number()], { error: statusError })
  .transform(Number)
  .refine((status) => Number.isInteger(status) && status >= 400 && status <= 599, { error: statusError });

const loadBalancing = z.object({
  weight: optionalKey(amount().max(100, { error: 'a number from 0 to 100' })).describe(
    'Of 100 requests so many, with `routing_type: weight`; those of an account sum to 100.',
  ),
  priority: optionalKey(wholeNumber(0, 1_000_000)).describe('0 is asked first, with `routing_type: priority`.'),
  fallback_status_codes: optionalKey(z.array(statusCode)).describe('Answers after which the next endpoint is asked.'),
  fallback_candidate: optionalKey(z.boolean()).describe('`false`: not asked where another endpoint failed.'),
  metadata_match: restricting(optionalKey(z.record(z.string(), text(128)))).describe(
    'Asked only for requests whose metadata holds all of these.',
  ),
});

const pathSegment = /^(?!\.{1,2}$)[A-Za-z0-9._~-]{1,128}$/;
const segmentError = '1 to 128 characters of A–Z a–z 0–9 . _ ~ - (it is a segment of paths)';

const integration = integrationBase('integration/model/custom-endpoint')
  .omit({ model_id: true, model_types: true, cost: true, abilities: true })
  .extend({
    name: z
      .string({ error: segmentError })
      .regex(pathSegment, { error: segmentError })
      .describe('Stands behind the account: `/proxy-api/account/name/…`.'),
    base_url: baseUrl().describe('Stands before the path that a client asks for.'),
    auth_data: restrictingKey(optionalKey(authData)).describe('In the place of that of the account.'),
    headers: optionalKey(endpointHeaders()).describe('Sent with every request, in the place of those of the client.'),
    tls_settings: optionalKey(tlsSettings).describe('In the place of those of the account.'),
    loadbalancing_config: restricting(optionalKey(loadBalancing), ['load_balancing_config']).describe(
      'Which of the endpoints is asked, where the account has a `routing_type`.',
    ),
  });
export type EndpointManifest = z.output<typeof integration>;

const routingType = z.enum(['weight', 'priority']);

export const manifestSchema = accountBase(type)
  .omit({ discount_percent: true })
  .extend({
    endpoint_type: optionalKey(z.enum(['azure-speech-service', 'other'])).describe('Says nothing here.'),
    routing_type: restrictingKey(optionalKey(routingType)).describe(
      'How one of the endpoints is chosen; absent: each is asked by its own name.',
    ),
    slug: restrictingKey(
      optionalKey(z.string({ error: segmentError }).regex(pathSegment, { error: segmentError })),
    ).describe(
      'With `routing_type` all endpoints are asked as `/proxy-api/account/slug/…`; absent: the name of the account.',
    ),
    auth_data: restrictingKey(optionalKey(authData)).describe('Of all endpoints that have none of their own.'),
    integrations: integrationList(integration).describe('The endpoints of the account.'),
  })
  .superRefine(({ routing_type: routing, integrations }, context) => {
    if (integrations.length === 0) {
      context.addIssue({ code: 'custom', path: ['integrations'], message: 'at least one endpoint' });
    }
    if (routing !== 'weight') return;
    const sum = integrations.reduce((all, { loadbalancing_config: config }) => all + (config?.weight ?? 0), 0);
    if (Math.abs(sum - 100) > 0.001) {
      context.addIssue({
        code: 'custom',
        path: ['integrations'],
        message: `weights (\`loadbalancing_config.weight\`) that sum to 100; these sum to ${sum}`,
      });
    }
  });
export type CustomEndpointAccount = z.output<typeof manifestSchema>;
