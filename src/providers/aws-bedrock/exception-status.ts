/** https://docs.aws.amazon.com/bedrock/latest/APIReference/CommonErrors.html */
const STATUS_OF_TYPE: ReadonlyMap<string, number> = new Map([
  ['validationexception', 400],
  ['accessdeniedexception', 403],
  ['resourcenotfoundexception', 404],
  ['throttlingexception', 429],
  ['servicequotaexceededexception', 429],
  ['modelerrorexception', 424],
  ['modelstreamerrorexception', 424],
  ['modeltimeoutexception', 504],
  ['modelnotreadyexception', 503],
  ['internalserverexception', 500],
  ['serviceunavailableexception', 503],
]);

/** Within a stream there is no status, only the type of the exception. */
export function statusOfType(type: string): number {
  return STATUS_OF_TYPE.get(type.toLowerCase()) ?? 500;
}
