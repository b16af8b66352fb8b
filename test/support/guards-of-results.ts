/** Manifests of one guard that takes the words of a pattern out of whatever tools of MCP give back. */
export function guardOfResults(pattern: string): readonly Record<string, unknown>[] {
  return [
    {
      type: 'provider-account/guardrail-config-group',
      name: 'g',
      integrations: [
        {
          type: 'integration/guardrail-config/regex',
          name: 'out',
          operation: 'mutate',
          config: { custom_patterns: [{ pattern, redaction_text: '[GONE]' }] },
        },
      ],
    },
    {
      type: 'gateway-guardrails-config',
      rules: [
        {
          id: 'tools',
          when: {},
          llm_input_guardrails: [],
          llm_output_guardrails: [],
          mcp_tool_pre_invoke_guardrails: [],
          mcp_tool_post_invoke_guardrails: ['g/out'],
        },
      ],
    },
  ];
}
