/** Guards of a load run: secrets, and all personal data, in what models write, none of which stands there. */
export const SECRETS = guarding('load/secrets');
export const SECRETS_AND_PII = guarding('load/secrets, load/pii');

function guarding(names: string): string {
  return `type: provider-account/guardrail-config-group
name: load
integrations:
  - {name: secrets, type: integration/guardrail-config/secret-detection, operation: mutate}
  - {name: pii, type: integration/guardrail-config/tfy-pii, operation: mutate, config: {pii_categories: ["*"]}}
---
type: gateway-guardrails-config
rules:
  - id: load
    when: {}
    llm_input_guardrails: []
    llm_output_guardrails: [${names}]
    mcp_tool_pre_invoke_guardrails: []
    mcp_tool_post_invoke_guardrails: []
`;
}
