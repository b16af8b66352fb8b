import { GatewayError } from '../core/errors.ts';

const WELL_FORMED = /^[A-Za-z0-9._:/@+-]{1,256}$/;
const DOT_SEGMENT = /(?:^|\/)\.\.(?:\/|$)/;

/** What a client may write as a model id at all, before any rule or path is built from it. */
export function checkModelId(name: string): GatewayError | undefined {
  if (WELL_FORMED.test(name) && !DOT_SEGMENT.test(name)) return undefined;
  return new GatewayError('invalid_model', { param: 'model' });
}
