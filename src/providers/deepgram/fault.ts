import { isObject, parseObject, stringOf } from '../../codec/json-value.ts';
import { type ProviderFault, readProviderFault } from '../base/provider-fault.ts';

/** `{err_code, err_msg, request_id}`: https://developers.deepgram.com/docs/errors */
export function faultIn(body: Buffer): ProviderFault {
  const fault = readProviderFault(body);
  const said = parseObject(body.toString('utf8'));
  if (!isObject(said)) return fault;
  return {
    ...fault,
    message: stringOf(said['err_msg']) ?? fault.message,
    code: stringOf(said['err_code']) ?? fault.code,
  };
}
