import { z } from 'zod';
import { positionOf } from '../documents/manifests.ts';
import type { GuardrailMatch, GuardrailRule, GuardrailTarget, Hook } from '../guardrails/guardrails.ts';
import { metadataKey, metadataValue, modelPattern, WHEN_NAMES } from '../rules/conditions.ts';
import { keyWithDefault, optionalKey, restricting, text } from '../scalar-schema.ts';
import { subjectPattern } from '../subject-schema.ts';
import { guardrailConfigGroup } from './guardrail-config-group.ts';
import { manifestKind } from './manifest-kind.ts';

/** `gateway-guardrails-config`: which guards are asked of which requests. */

const condition = z.enum(['in', 'not_in']).describe('One of the values, or none of them.');
const serverName = text(256);

const tool = z.union([
  text(256),
  z.object({
    name: text(256).describe('Name of the MCP server.'),
    enable_all_tools: keyWithDefault(z.boolean(), false).describe('All of its tools.'),
    enabled_tools: optionalKey(z.array(text(256))).describe('These of its tools.'),
  }),
]);

const target = z.object({
  operator: keyWithDefault(z.literal('or'), 'or').describe('One of the conditions must hold.'),
  conditions: z
    .object({
      model: optionalKey(
        z.object({ condition, values: z.array(modelPattern).describe('As `account/model`, with `*`.') }),
      ).describe('Which models are asked.'),
      mcpServers: optionalKey(
        z.object({ condition, values: z.array(serverName).describe('By name, with `*`.') }),
      ).describe('Which MCP servers.'),
      mcpTools: optionalKey(z.object({ condition, values: z.array(tool).describe('By server and tool.') })).describe(
        'Which tools of MCP servers.',
      ),
    })
    .describe('What is asked.'),
});

const subjectSet = z.object({
  operator: keyWithDefault(z.enum(['and', 'or']), 'and').describe('Whether both lists must hold, or one.'),
  conditions: z
    .object({
      in: optionalKey(z.array(subjectPattern)).describe('One of these asks.'),
      not_in: optionalKey(z.array(subjectPattern)).describe('None of these asks.'),
    })
    .describe('Who asks.'),
});

const when = z.object({
  target: optionalKey(target).describe('What is asked; absent: everything.'),
  subjects: optionalKey(z.union([z.array(subjectPattern), subjectSet])).describe('Who asks; absent: everybody.'),
  models: optionalKey(z.array(modelPattern)).describe('Of an older form: as `target.conditions.model`.'),
  metadata: optionalKey(z.record(metadataKey, metadataValue)).describe('All of these in the metadata of the request.'),
});

const guards = (said: string) => keyWithDefault(z.array(text(129)), []).describe(said);

const rule = z
  .object({
    id: text(256).describe('Stands in headers and records.'),
    when: restricting(optionalKey(when), WHEN_NAMES).describe('Which requests it is about; absent: all.'),
    llm_input_guardrails: guards('Guards of what goes to a model, as `group/guard`.'),
    llm_output_guardrails: guards('Guards of what comes from it.'),
    mcp_tool_pre_invoke_guardrails: guards('Guards of what goes to a tool.'),
    mcp_tool_post_invoke_guardrails: guards('Guards of what comes from it.'),
    input_guardrails: guards('Of an older form: as `llm_input_guardrails`.'),
    output_guardrails: guards('Of an older form: as `llm_output_guardrails`.'),
    custom_error_message: optionalKey(z.string().max(4096)).describe(
      'What is told instead; `{{guardrail_message}}` is what the guard says.',
    ),
    on_streams: keyWithDefault(z.enum(['hold', 'window', 'audit']), 'hold').describe(
      'Guards that cannot judge a stream by a few bytes: hold it to its end, judge it by sentences, or only record. Ours.',
    ),
  })
  .transform((written): GuardrailRule => {
    const list: Record<Hook, readonly string[]> = {
      'llm-input': [...written.llm_input_guardrails, ...written.input_guardrails],
      'llm-output': [...written.llm_output_guardrails, ...written.output_guardrails],
      'mcp-pre': written.mcp_tool_pre_invoke_guardrails,
      'mcp-post': written.mcp_tool_post_invoke_guardrails,
    };
    return {
      id: written.id,
      when: matchOf(written.when),
      guards: list,
      ...(written.custom_error_message !== undefined && { errorMessage: written.custom_error_message }),
      onStreams: written.on_streams,
    };
  });

function matchOf(written: z.output<typeof when> | undefined): GuardrailMatch {
  const { metadata, subjects, models } = written ?? {};
  const target = targetOf(written);
  return {
    ...(target && { target }),
    ...(models?.length && { target: { models: { condition: 'in', values: models } } }),
    ...(subjects !== undefined && subjectsOf(subjects)),
    ...(metadata && Object.keys(metadata).length > 0 && { metadata }),
  };
}

function subjectsOf(written: string[] | z.output<typeof subjectSet>): Pick<GuardrailMatch, 'subjects'> {
  if (Array.isArray(written)) return written.length > 0 ? { subjects: { operator: 'and', in: written } } : {};
  const { in: included, not_in: excluded } = written.conditions;
  if (!included?.length && !excluded?.length) return {};
  return {
    subjects: {
      operator: written.operator,
      ...(included?.length && { in: included }),
      ...(excluded?.length && { notIn: excluded }),
    },
  };
}

/** An empty list asks for nothing: the reference product's editor writes one where nothing was filled in. */
function targetOf(written: z.output<typeof when> | undefined): GuardrailTarget | undefined {
  const { model, mcpServers, mcpTools } = written?.target?.conditions ?? {};
  const found: GuardrailTarget = {
    ...(model?.values.length && { models: model }),
    ...(mcpServers?.values.length && { mcpServers }),
    ...(mcpTools?.values.length && {
      mcpTools: {
        condition: mcpTools.condition,
        values: mcpTools.values.map((each) => {
          if (typeof each === 'string') return { server: each };
          const { name: server, enable_all_tools: all, enabled_tools: tools } = each;
          return { server, ...(!all && { tools: tools ?? [] }) };
        }),
      },
    }),
  };
  return Object.keys(found).length > 0 ? found : undefined;
}

const schema = restricting(
  z.object({
    type: z.literal('gateway-guardrails-config'),
    name: optionalKey(text(256)).describe('Of older forms; has no effect.'),
    guardrails_service_url: optionalKey(text(2048)).describe('Of older forms; has no effect.'),
    rules: z
      .array(rule)
      .nullish()
      .transform((rules) => rules ?? [])
      .describe('All that match a request apply together.'),
  }),
);

export const gatewayGuardrailsConfig = manifestKind({
  type: 'gateway-guardrails-config',
  schema,
  uniqueKeys: [{ path: 'rules[].id', what: 'this rule id', over: 'guardrail rules' }],
  check(written, context) {
    const known = new Set(context.written(guardrailConfigGroup).flatMap(({ value }) => value.map(({ name }) => name)));
    const faulty = context.faultyNames(guardrailConfigGroup);
    for (const { manifest, value } of written) {
      for (const [index, { guards: byHook }] of value.rules.entries()) {
        for (const name of new Set(Object.values(byHook).flat())) {
          if (known.has(name) || faulty.includes(name.split('/')[0]!)) continue;
          context.report.faults.push({
            code: 'invalid-value',
            ...positionOf(manifest, ['rules', index]),
            message: `there is no guard \`${name}\``,
            allowed: 'a guard of a `provider-account/guardrail-config-group`, as `group/guard`',
          });
        }
      }
    }
  },
  part: (written): { guardrailRules: GuardrailRule[] } => ({
    guardrailRules: written.flatMap(({ value }) => value.rules),
  }),
});
