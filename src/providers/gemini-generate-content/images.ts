import { isArray, isObject, objectOf, parseObject, stringOf } from '../../codec/json-value.ts';
import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';
import type { InferenceEvent } from '../../inference/event.ts';
import type { ImageRequest, ImageSource } from '../../inference/image.ts';
import type { Operation } from '../../inference/operation.ts';
import { ratioOf, sizeOf } from '../base/image-size.ts';
import { InlineBody, imageType } from '../base/inline-data.ts';
import type { MadeRequest, Wire } from '../provider.ts';
import { fromResponse } from './from-event.ts';
import { toError } from './to-error.ts';
import { toUsage } from './to-usage.ts';

/** https://ai.google.dev/gemini-api/docs/image-generation#aspect_ratios */
const RATIOS = ['1:1', '2:3', '3:2', '3:4', '4:3', '4:5', '5:4', '9:16', '16:9', '21:9'];
/** https://ai.google.dev/gemini-api/docs/imagen#imagen-configuration */
const IMAGEN_RATIOS = ['1:1', '3:4', '4:3', '9:16', '16:9'];
const IMAGEN = /(^|\/)(imagen|imagegeneration)/;
const MAX_IMAGEN_IMAGES = 4;
/** Pixels of the longer side up to which a size is the usual one, and the next. */
const USUAL_PIXELS = 1_792;
const LARGE_PIXELS = 3_584;

/** Images of Gemini by generateContent, and of Imagen by predict. */
function imagesWire(name: string, operation: Operation): Wire {
  return {
    name,
    operation,
    framing: 'none',
    method: 'POST',
    contentType: 'application/json',
    forwards: [],
    path: ({ modelId }) =>
      `/${modelId.includes('/') ? modelId : `models/${modelId}`}:${IMAGEN.test(modelId) ? 'predict' : 'generateContent'}`,
    toUsage,
    toError,
    translation: {
      maxInputs: (modelId) => (IMAGEN.test(modelId) ? MAX_IMAGEN_IMAGES : 1),
      toRequest: (request: ImageRequest) => (IMAGEN.test(request.model) ? toPredict(request) : toContents(request)),
      fromResponse: fromImages,
    },
  };
}

export const geminiImagesWires: readonly Wire[] = [
  imagesWire('gemini-images', 'image'),
  imagesWire('gemini-image-edits', 'image-edit'),
];

/** https://ai.google.dev/gemini-api/docs/image-generation */
function toContents(request: ImageRequest): OrError<MadeRequest> {
  if (request.mask !== undefined)
    return nothing('mask', 'Gemini takes no mask: say in the prompt what is to be changed.');
  const aspectRatio = ratioOf(request, 'Gemini', RATIOS);
  if (aspectRatio instanceof GatewayError) return aspectRatio;
  const { prompt, sources, extra } = request;
  const { generationConfig, imageConfig, ...others } = extra;
  const config = { aspectRatio, imageSize: pixelsOf(request), ...objectOf(imageConfig) };
  const isPlain = Object.values(config).every((value) => value === undefined);
  const written = new InlineBody();
  const parts = sources.map((source) => partOf(source, written));
  const body = written.write({
    contents: [{ role: 'user', parts: [...(prompt === undefined ? [] : [{ text: prompt }]), ...parts] }],
    generationConfig: {
      responseModalities: ['IMAGE'],
      ...(!isPlain && { imageConfig: config }),
      ...objectOf(generationConfig),
    },
    ...others,
  });
  return { body, headers: [] };
}

function partOf(source: ImageSource, written: InlineBody): object {
  const mimeType = imageType(source);
  const data = written.base64(source);
  if (data !== undefined) return { inlineData: { mimeType, data } };
  return { fileData: { fileUri: 'url' in source ? source.url : '' } };
}

/** Undefined: the usual one, which older models make alone. */
function pixelsOf(request: ImageRequest): string | undefined {
  const size = sizeOf(request);
  if (size === undefined || size instanceof GatewayError || size.isRatio) return undefined;
  const longer = Math.max(size.width, size.height);
  if (longer <= USUAL_PIXELS) return undefined;
  return longer <= LARGE_PIXELS ? '2K' : '4K';
}

/** https://ai.google.dev/gemini-api/docs/imagen */
function toPredict(request: ImageRequest): OrError<MadeRequest> {
  const { prompt, images, sources, outputFormat, extra } = request;
  if (sources.length > 0) return nothing('image', 'Imagen makes new images here; a Gemini image model edits them.');
  const aspectRatio = ratioOf(request, 'Imagen', IMAGEN_RATIOS);
  if (aspectRatio instanceof GatewayError) return aspectRatio;
  const { parameters, ...others } = extra;
  const mimeType = outputFormat === undefined ? undefined : `image/${outputFormat.replace(/^jpg$/, 'jpeg')}`;
  const body = new InlineBody().write({
    instances: [{ prompt }],
    parameters: {
      sampleCount: images,
      aspectRatio,
      sampleImageSize: pixelsOf(request),
      ...(mimeType && { outputOptions: { mimeType } }),
      ...others,
      ...objectOf(parameters),
    },
  });
  return { body, headers: [] };
}

function nothing(param: string, detail: string): GatewayError {
  return new GatewayError('unsupported_parameter', { param, detail });
}

/** `predictions` of Imagen, `candidates` of Gemini. */
function fromImages(body: Buffer): OrError<InferenceEvent[]> {
  const answer = parseObject(body.toString('utf8'));
  const predictions = answer?.['predictions'];
  if (isArray(predictions)) return fromPredictions(predictions);
  // Imagen that was filtered says nothing at all.
  if (answer !== undefined && Object.keys(answer).length === 0) return blocked('its filters left no image');
  const events = fromResponse(body);
  if (events instanceof GatewayError) return events;
  if (events.some(({ type }) => type === 'image' || type === 'error')) return events;
  for (const event of events) {
    if (event.type === 'finish' && event.reason.unified === 'content-filter') return blocked(`${event.reason.raw}`);
  }
  return events;
}

function fromPredictions(predictions: readonly unknown[]): OrError<InferenceEvent[]> {
  const events: InferenceEvent[] = [];
  let reason: string | undefined;
  for (const each of predictions) {
    if (!isObject(each)) continue;
    const base64 = stringOf(each['bytesBase64Encoded']);
    reason ??= stringOf(each['raiFilteredReason']);
    if (base64 === undefined) continue;
    events.push({ type: 'image', mediaType: stringOf(each['mimeType']) ?? 'image/png', base64 });
  }
  return events.length === 0 ? blocked(reason ?? 'its filters left no image') : events;
}

/** As OpenAI refuses what it does not draw: the client's prompt is at fault, and another try is no use. */
function blocked(reason: string): GatewayError {
  return new GatewayError('upstream_rejected', {
    status: 400,
    detail: `The provider made no image: ${reason}`,
    upstreamType: 'image_generation_user_error',
    upstreamCode: 'moderation_blocked',
  });
}
