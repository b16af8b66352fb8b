import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';
import type { InferenceEvent } from '../../inference/event.ts';
import { mergeUsage, type Usage } from '../../inference/usage.ts';
import type { AnswerContext } from '../answer-form.ts';

/** https://platform.openai.com/docs/api-reference/images/object. An address of an image that came as data is a data: URL. */
export function fromInference(events: readonly InferenceEvent[], { created, format }: AnswerContext): OrError<Buffer> {
  const usage: Usage = {};
  const data: object[] = [];
  let words = '';
  let output: string | undefined;
  for (const event of events) {
    if (event.type === 'usage') mergeUsage(usage, event.usage);
    else if (event.type === 'text') words += event.text;
    if (event.type !== 'image') continue;
    const { mediaType, base64 } = event;
    output ??= mediaType.replace('image/', '');
    data.push(format === 'url' ? { url: `data:${mediaType};base64,${base64}` } : { b64_json: base64 });
  }
  if (data.length === 0) {
    const said = words.trim() === '' ? '' : `: ${words.trim().slice(0, 300)}`;
    return new GatewayError('upstream_protocol', { detail: `It made no image${said}.` });
  }
  return Buffer.from(JSON.stringify({ created, data, output_format: output, ...told(usage) }));
}

function told({ inputTokens, outputTokens, rare }: Usage): object {
  if (inputTokens === undefined || outputTokens === undefined) return {};
  const images = rare?.imageInputTokens ?? 0;
  return {
    usage: {
      input_tokens: inputTokens,
      output_tokens: outputTokens,
      total_tokens: inputTokens + outputTokens,
      input_tokens_details: { text_tokens: inputTokens - images, image_tokens: images },
    },
  };
}
