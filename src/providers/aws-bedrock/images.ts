import { isArray, objectOf, parseObject, stringOf } from '../../codec/json-value.ts';
import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';
import type { InferenceEvent } from '../../inference/event.ts';
import type { ImageRequest } from '../../inference/image.ts';
import type { Operation } from '../../inference/operation.ts';
import { awsError } from '../base/aws-error.ts';
import { ratioOf, sizeOf } from '../base/image-size.ts';
import { InlineBody } from '../base/inline-data.ts';
import type { MadeRequest, Wire } from '../provider.ts';

/** What the makers of image models on Bedrock call things. */
interface Family {
  readonly models: RegExp;
  readonly maxImages: number;
  toRequest(request: ImageRequest): OrError<MadeRequest>;
}

/** https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-diffusion-stable-ultra-text-image-request-response.html */
const STABILITY_RATIOS = ['1:1', '2:3', '3:2', '4:5', '5:4', '9:16', '16:9', '9:21', '21:9'];
const STABILITY_FORMATS = ['png', 'jpeg', 'webp'];

const FAMILIES: readonly Family[] = [
  // https://docs.aws.amazon.com/nova/latest/userguide/image-gen-req-resp-structure.html, and Titan's is the same.
  { models: /nova-canvas|titan-image/, maxImages: 5, toRequest: toAmazon },
  { models: /stability\./, maxImages: 1, toRequest: toStability },
];

function imagesWire(name: string, operation: Operation): Wire {
  return {
    name,
    operation,
    framing: 'none',
    method: 'POST',
    contentType: 'application/json',
    forwards: [],
    path: ({ modelId }) => `/model/${encodeURIComponent(modelId)}/invoke`,
    toUsage: () => undefined,
    toError: awsError,
    translation: {
      maxInputs: (modelId) => familyOf(modelId)?.maxImages,
      toRequest(request: ImageRequest) {
        const family = familyOf(request.model);
        if (family !== undefined) return family.toRequest(request);
        const detail = 'Its id is that of no image model of Amazon or Stability, so nobody knows how to ask it.';
        return new GatewayError('unsupported_operation', { param: 'model', detail });
      },
      readsErrors: true,
      fromResponse,
    },
  };
}

/** InvokeModel: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_InvokeModel.html */
export const bedrockImagesWires: readonly Wire[] = [
  imagesWire('bedrock-images', 'image'),
  imagesWire('bedrock-image-edits', 'image-edit'),
  imagesWire('bedrock-image-variations', 'image-variation'),
];

function familyOf(modelId: string): Family | undefined {
  return FAMILIES.find(({ models }) => models.test(modelId));
}

function toAmazon(request: ImageRequest): OrError<MadeRequest> {
  const { prompt, images, sources, mask, outputFormat, quality, extra } = request;
  if (mask !== undefined)
    return refused('mask', 'Its masks are black and white, and OpenAI’s are transparent: send `maskPrompt`.');
  if (outputFormat !== undefined && outputFormat !== 'png') return refused('output_format', 'It makes png alone.');
  const size = sizeOf(request);
  if (size instanceof GatewayError) return size;
  if (size?.isRatio) return refused('size', 'It takes width by height, as `1024x1024`.');
  const {
    taskType,
    imageGenerationConfig,
    negativeText,
    similarityStrength,
    maskPrompt,
    style,
    seed,
    cfgScale,
    ...others
  } = extra;
  const config = {
    width: size?.width,
    height: size?.height,
    numberOfImages: images,
    quality: quality === undefined ? undefined : PREMIUM.has(quality) ? 'premium' : 'standard',
    seed,
    cfgScale,
    ...objectOf(imageGenerationConfig),
  };
  const written = new InlineBody();
  const [first] = sources;
  if (first === undefined) {
    return made(written, {
      taskType: taskType ?? 'TEXT_IMAGE',
      textToImageParams: { text: prompt, negativeText, style },
      imageGenerationConfig: config,
      ...others,
    });
  }
  if (maskPrompt !== undefined) {
    const image = written.base64(first);
    if (image === undefined) return addressOnly();
    return made(written, {
      taskType: 'INPAINTING',
      inPaintingParams: { image, text: prompt, negativeText, maskPrompt },
      imageGenerationConfig: config,
      ...others,
    });
  }
  const given = sources.map((source) => written.base64(source));
  if (given.includes(undefined)) return addressOnly();
  return made(written, {
    taskType: taskType ?? 'IMAGE_VARIATION',
    imageVariationParams: { images: given, text: prompt, negativeText, similarityStrength },
    imageGenerationConfig: config,
    ...others,
  });
}

const PREMIUM: ReadonlySet<string> = new Set(['hd', 'high', 'premium']);

function toStability(request: ImageRequest): OrError<MadeRequest> {
  const { prompt, sources, mask, outputFormat, extra } = request;
  if (mask !== undefined) return refused('mask', 'It takes no mask.');
  if (sources.length > 1) return refused('image', 'It takes one image.');
  if (prompt === undefined) return refused('prompt', 'It wants a prompt, and makes no variations without one.');
  if (outputFormat !== undefined && !STABILITY_FORMATS.includes(outputFormat)) {
    return refused('output_format', `It makes ${STABILITY_FORMATS.join(', ')}.`);
  }
  const written = new InlineBody();
  const [source] = sources;
  if (source === undefined) {
    const aspect_ratio = ratioOf(request, 'Stability', STABILITY_RATIOS);
    if (aspect_ratio instanceof GatewayError) return aspect_ratio;
    return made(written, { prompt, mode: 'text-to-image', aspect_ratio, output_format: outputFormat, ...extra });
  }
  const image = written.base64(source);
  if (image === undefined) return addressOnly();
  const { strength = USUAL_STRENGTH, ...others } = extra;
  return made(written, { prompt, mode: 'image-to-image', image, strength, output_format: outputFormat, ...others });
}

/** How far it may leave the image that it was given: 0 is the image itself, 1 nothing of it. It has to be said. */
const USUAL_STRENGTH = 0.7;

function made(written: InlineBody, value: object): MadeRequest {
  return { body: written.write(value), headers: [] };
}

function refused(param: string, detail: string): GatewayError {
  return new GatewayError('unsupported_parameter', { param, detail });
}

/** As for chats: nothing is fetched that a client names. */
function addressOnly(): GatewayError {
  return refused('image', 'Bedrock fetches no images: send the file, or a data: URL.');
}

/** `images` in base64; Amazon: `error` beside them; Stability: `finish_reasons`, null where nothing was filtered. */
function fromResponse(body: Buffer): OrError<InferenceEvent[]> {
  const answer = parseObject(body.toString('utf8'));
  const { images, error, finish_reasons: reasons } = answer ?? {};
  const events = (isArray(images) ? images : []).flatMap((each): InferenceEvent[] => {
    const base64 = stringOf(each);
    return base64 === undefined || base64 === '' ? [] : [{ type: 'image', mediaType: typeOf(base64), base64 }];
  });
  if (events.length > 0) return events;
  const reason = stringOf(error) ?? (isArray(reasons) ? stringOf(reasons.find((each) => each !== null)) : undefined);
  if (reason === undefined) return new GatewayError('upstream_protocol', { detail: 'Its answer has no images.' });
  return new GatewayError('upstream_rejected', {
    status: 400,
    detail: `The provider made no image: ${reason}`,
    upstreamType: 'image_generation_user_error',
    upstreamCode: 'moderation_blocked',
  });
}

/** By its first bytes, in base64. */
function typeOf(base64: string): string {
  if (base64.startsWith('/9j/')) return 'image/jpeg';
  return base64.startsWith('UklGR') ? 'image/webp' : 'image/png';
}
