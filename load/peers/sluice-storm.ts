/** The documents of a gateway with one virtual model before four providers that are not there yet. */
export const STORM_MODEL = 'storm/chat';
export const STORM_NAMES = ['a', 'b', 'c', 'd'];
/** Not a secret: it opens the operator port of a gateway that lives on loopback for the length of this run. */
export const STORM_ADMIN_KEY = 'admin-of-the-storm-0123456789abcdef';

/** In the server's document. First content is waited for longer than a good provider takes. */
export const STORM_SETTINGS = `timeouts: {first_byte_ms: 1000}
routing: {out_ms: 300, max_out_ms: 1000, slow_start_ms: 500}
`;

export function stormDocuments(ports: Readonly<Record<string, number>>): string {
  const accounts = Object.entries(ports).map(
    ([name, port]) => `type: provider-account/openai
name: ${name}
base_url: http://127.0.0.1:${port}/v1
auth_data: {type: api-key, api_key: "\${env:SLUICE_LOAD_KEY}"}
integrations:
  - {name: m, type: integration/model/openai, model_id: m, model_types: [chat], cost: {metric: per_1000_tokens, value: {input: 0.001, output: 0.002}}}
`,
  );
  const targets = Object.keys(ports).map(
    (name) => `        - {target: ${name}/m, weight: 25, retry_config: {attempts: 1, delay: 20}}\n`,
  );
  const virtual = `type: provider-account/virtual-model
name: storm
integrations:
  - name: chat
    type: integration/model/virtual
    model_types: [chat]
    routing_config:
      type: weight-based-routing
      hedge: {after: 150, max_rate: 20}
      load_balance_targets:
${targets.join('')}`;
  const limits = `type: gateway-rate-limiting-config
rules:
  - {id: open, limit_to: 16000, unit: concurrent_requests}
`;
  return [...accounts, virtual, limits].join('---\n');
}
