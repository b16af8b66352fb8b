import { isArray, objectOf, parseObject, stringOf } from '../../../codec/json-value.ts';
import { GatewayError } from '../../../core/errors.ts';
import type { OrError } from '../../../core/exchange.ts';
import type { InferenceEvent } from '../../../inference/event.ts';
import type { ImageRequest } from '../../../inference/image.ts';
import { ratioOf, sizeOf } from '../../base/image-size.ts';
import { InlineBody } from '../../base/inline-data.ts';
import { nothingFor } from '../../base/speech.ts';
import type { MadeRequest, Wire } from '../../provider.ts';
import { openAiImageEditsWire, openAiImagesWire } from '../media-wires.ts';
import { notTranslated } from '../not-translated.ts';
import { dataUrl } from './data-url.ts';

/** Answers are OpenAI's and pass; requests call some things otherwise. */
function asked(
  wire: Wire,
  name: string,
  path: string,
  toRequest: (request: ImageRequest) => OrError<MadeRequest>,
): Wire {
  return {
    ...wire,
    name,
    framing: 'none',
    contentType: 'application/json',
    answersAs: wire.name,
    path: () => path,
    translation: { toRequest, fromResponse: notTranslated },
  };
}

/** https://docs.together.ai/reference/post-images-generations */
export const togetherImages: readonly Wire[] = [
  asked(openAiImagesWire, 'together-images', '/images/generations', toTogether),
  asked(openAiImageEditsWire, 'together-image-edits', '/images/generations', toTogether),
];

function toTogether(request: ImageRequest): OrError<MadeRequest> {
  const { model, prompt, images, asUrl, outputFormat, sources, mask, extra } = request;
  if (mask !== undefined) return nothingFor('Together', 'mask');
  if (sources.length > 1) return nothingFor('Together', 'image[1]');
  const size = sizeOf(request);
  if (size instanceof GatewayError) return size;
  const written = new InlineBody();
  const [source] = sources;
  const shape = size?.isRatio
    ? { aspect_ratio: `${size.width}:${size.height}` }
    : size && { width: size.width, height: size.height };
  const body = written.write({
    model,
    prompt,
    n: images === 1 ? undefined : images,
    ...shape,
    image_url: source && dataUrl(source, written),
    output_format: outputFormat,
    response_format: asUrl ? 'url' : 'base64',
    ...extra,
  });
  return { body, headers: [] };
}

/** https://openrouter.ai/docs/features/multimodal/image-generation */
export const openRouterImages: readonly Wire[] = [
  asked(openAiImagesWire, 'openrouter-images', '/images', toOpenRouter),
  asked(openAiImageEditsWire, 'openrouter-image-edits', '/images', toOpenRouter),
];

function toOpenRouter({ model, prompt, images, size, quality, outputFormat, sources, mask, extra }: ImageRequest) {
  if (mask !== undefined) return nothingFor('OpenRouter', 'mask');
  const written = new InlineBody();
  const references = sources.map((source) => ({ type: 'image_url', image_url: { url: dataUrl(source, written) } }));
  const body = written.write({
    model,
    prompt,
    n: images === 1 ? undefined : images,
    size,
    quality,
    output_format: outputFormat,
    input_references: references.length === 0 ? undefined : references,
    ...extra,
  });
  return { body, headers: [] };
}

const FIREWORKS_RATIOS = ['1:1', '21:9', '16:9', '3:2', '5:4', '4:5', '2:3', '9:16', '9:21', '4:3', '3:4'];

/** https://docs.fireworks.ai/api-reference/generate-a-new-image-from-a-text-prompt: `{base64: ["…"]}` where JSON is accepted. */
export const fireworksImages: Wire = {
  ...openAiImagesWire,
  name: 'fireworks-images',
  framing: 'none',
  path: ({ modelId }) =>
    `/workflows/${modelId.includes('/') ? modelId : `accounts/fireworks/models/${modelId}`}/text_to_image`,
  translation: {
    maxInputs: () => 1,
    toRequest(request: ImageRequest) {
      const aspect_ratio = ratioOf(request, 'Fireworks', FIREWORKS_RATIOS);
      if (aspect_ratio instanceof GatewayError) return aspect_ratio;
      const { prompt, extra } = request;
      return { body: new InlineBody().write({ prompt, aspect_ratio, ...extra }), headers: [] };
    },
    fromResponse(body): OrError<InferenceEvent[]> {
      const answer = parseObject(body.toString('utf8'));
      const { base64, finishReason } = answer ?? {};
      const events = (isArray(base64) ? base64 : [base64]).flatMap((each): InferenceEvent[] => {
        const image = stringOf(each);
        return image === undefined ? [] : [{ type: 'image', mediaType: 'image/jpeg', base64: image }];
      });
      if (events.length > 0) return events;
      const reason = stringOf(finishReason) ?? stringOf(objectOf(answer?.['error'])?.['message']);
      return new GatewayError('upstream_protocol', { detail: `It made no image: ${reason ?? 'it does not say why'}.` });
    },
  },
};
