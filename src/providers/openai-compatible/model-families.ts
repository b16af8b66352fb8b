import type { ModelFamily } from './host-row.ts';

/**
 * What models want wherever they are hosted, once for all rows. A row names those that its host serves as their makers do;
 * where a host evens it out itself (OpenRouter, Vercel), its row names none.
 */
export const MODEL_FAMILIES: readonly ModelFamily[] = [
  {
    // https://platform.openai.com/docs/guides/reasoning
    name: 'openai-reasoning',
    models: /(^|\/)(gpt-[5-9](?!\d)(?!.*-chat-)|o[134](-|$))/,
    about: '`max_tokens` is sent as `max_completion_tokens`',
    renamed: { max_tokens: 'max_completion_tokens' },
  },
  {
    // https://platform.openai.com/docs/guides/reasoning, the open weights
    name: 'gpt-oss',
    models: /gpt-oss/,
    about: 'effort `low`, `medium`, `high`; earlier reasoning goes back as `reasoning`',
    effort: { minimal: 'low', xhigh: 'high', max: 'high', none: 'low', default: null },
    reasoningBack: 'reasoning',
  },
  {
    // https://api-docs.deepseek.com/guides/thinking_mode
    name: 'deepseek',
    models: /deepseek/i,
    about: 'earlier reasoning goes back as `reasoning_content`; with tools it has to',
    reasoningBack: 'reasoning_content',
  },
  {
    // https://platform.kimi.ai/docs
    name: 'kimi',
    models: /kimi-(k2\.[5-9]|k[3-9]|latest)/i,
    about: 'earlier reasoning goes back as `reasoning_content`',
    reasoningBack: 'reasoning_content',
  },
  {
    // Moonshot has fixed it, and refuses any other value.
    name: 'kimi-sampling',
    models: /kimi-(k2\.[5-9]|k[3-9]|latest)/i,
    about: 'fixed sampling: `temperature`, `top_p` and penalties are left out, `n` is 1',
    refused: ['temperature', 'top_p', 'frequency_penalty', 'presence_penalty', 'n'],
  },
  {
    name: 'kimi-effort',
    models: /kimi-k[3-9]/i,
    about: 'effort `low`, `high`, `max`',
    effort: { minimal: 'low', medium: 'high', xhigh: 'max' },
  },
  {
    name: 'glm',
    models: /glm-/i,
    about: 'earlier reasoning goes back as `reasoning_content`',
    reasoningBack: 'reasoning_content',
  },
  {
    // https://docs.z.ai: effort came with GLM-5.2.
    name: 'glm-effort',
    models: /glm-(5[.p][2-9]|[6-9])/i,
    about: 'effort `low`, `high`, `max`',
    effort: { minimal: 'low', medium: 'high', xhigh: 'max' },
  },
  {
    // https://console.groq.com/docs/reasoning
    name: 'qwen-on-groq',
    models: /qwen/i,
    about: 'effort `none` or `default`; earlier reasoning goes back as `reasoning`',
    reasoningBack: 'reasoning',
    effort: {
      minimal: 'default',
      low: 'default',
      medium: 'default',
      high: 'default',
      xhigh: 'default',
      max: 'default',
    },
  },
  {
    // https://docs.x.ai/docs/guides/reasoning
    name: 'grok-reasoning',
    models: /grok-(4(?!.*non-reasoning)|3-mini|code)/,
    about: '`frequency_penalty` and `presence_penalty` are left out',
    refused: ['frequency_penalty', 'presence_penalty'],
  },
  {
    // Up to Grok 4.20 the variant of the model says how much it reasons; 3-mini and 4.3 take the parameter.
    name: 'grok-without-effort',
    models: /grok-(3(?!-mini)|4(-0709|-latest|-fast|-1|\.20|$)|code)/,
    about: '`reasoning_effort` is left out',
    refused: ['reasoning_effort'],
  },
];
