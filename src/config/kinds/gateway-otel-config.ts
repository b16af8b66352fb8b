import { z } from 'zod';
import { headerMap, keyWithDefault, optionalKey, restricting, text } from '../scalar-schema.ts';
import type { OtelExportSettings, OtlpEndpoint } from '../server/otel.ts';
import { manifestKind } from './manifest-kind.ts';

/** `gateway-otel-config`: where spans and metrics are sent by OTLP. */
const headers = optionalKey(headerMap()).describe('Sent with each export, as keys of the collector.');

const http = z.object({
  type: z.literal('http').describe('OTLP over HTTP.'),
  endpoint: address('an http:// or https:// address, as `https://collector.example.com`').describe(
    'Base address of the collector, or the whole address: `/v1/traces` or `/v1/metrics` is added where it is missing.',
  ),
  encoding: z.enum(['proto', 'json']).describe('Protobuf, which every collector takes, or JSON.'),
  headers,
});

const grpc = z.object({
  type: z.literal('grpc').describe('OTLP over gRPC.'),
  endpoint: address('`host:port`, or an http:// or https:// address', 'http://').describe(
    'Address of the collector; without `https://` it is reached without TLS.',
  ),
  headers,
});

const condition = z.object({
  field: z.literal('spanAttributes').describe('Attributes of the spans of an exchange.'),
  key: text(256).describe('Name of the attribute.'),
  operator: z.literal('IN').describe('One of the values.'),
  value: z.array(text(1024)).max(256, { error: 'at most 256 values' }).describe('Values of which one must be there.'),
});

const traceOptions = {
  additional_resource_attributes: optionalKey(z.record(text(256), text(1024))).describe(
    'Attributes of the resource, beside `service.name` and the like.',
  ),
  exclude_request_data: keyWithDefault(z.boolean(), false).describe(
    'Has no effect: spans never hold what was asked or answered.',
  ),
  when: optionalKey(z.array(condition).max(32, { error: 'at most 32 conditions' })).describe(
    'Exchanges whose spans are sent: all conditions must hold for one of its spans; absent: all.',
  ),
};

const traces = optionalKey(z.discriminatedUnion('type', [http.extend(traceOptions), grpc.extend(traceOptions)]));
const metrics = optionalKey(z.discriminatedUnion('type', [http, grpc]));

const schema = restricting(
  z
    .object({
      type: z.literal('gateway-otel-config'),
      name: optionalKey(text(256)).describe('Has no effect.'),
      otel_traces_exporter_config: traces.describe('Where spans go.'),
      otel_metrics_exporter_config: metrics.describe('Where the metrics of `GET /metrics` go.'),
    })
    .transform(({ otel_traces_exporter_config: spans, otel_metrics_exporter_config: series }): OtelExportSettings => {
      return {
        ...(spans && {
          traces: {
            endpoint: endpointOf(spans),
            resourceAttributes: spans.additional_resource_attributes ?? {},
            when: (spans.when ?? []).map(({ key, value }) => ({ key, values: value })),
          },
        }),
        ...(series && { metrics: endpointOf(series) }),
      };
    }),
);

export const gatewayOtelConfig = manifestKind({
  type: 'gateway-otel-config',
  schema,
  part: (written): { otel: OtelExportSettings[] } => ({ otel: written.map(({ value }) => value) }),
});

/** An address with a user name would show a password in logs; keys of a collector stand in its headers. */
function address(error: string, scheme = '') {
  return z
    .string({ error })
    .max(2048, { error })
    .transform((value) => (value.includes('://') ? value : scheme + value))
    .refine((value) => isAddress(value), { error });
}

function isAddress(value: string): boolean {
  if (value !== value.trim() || !URL.canParse(value)) return false;
  const { protocol, username, password, hash } = new URL(value);
  return (protocol === 'http:' || protocol === 'https:') && username === '' && password === '' && hash === '';
}

type WrittenEndpoint = z.output<typeof http> | z.output<typeof grpc>;

function endpointOf(written: WrittenEndpoint): OtlpEndpoint {
  const flat = Object.entries(written.headers ?? {}).flat();
  const common = { url: written.endpoint, headers: flat };
  return written.type === 'grpc'
    ? { ...common, protocol: 'grpc', encoding: 'proto' }
    : { ...common, protocol: 'http', encoding: written.encoding };
}
