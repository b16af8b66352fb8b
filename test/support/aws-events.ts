import { crc32 } from 'node:zlib';

/** One message of an AWS event stream. */
export function awsMessage(headers: Record<string, string>, payload: Buffer): Buffer {
  const parts = Object.entries(headers).map(([name, value]) => {
    const head = Buffer.concat([
      Buffer.from([name.length]),
      Buffer.from(name),
      Buffer.from([7, 0, 0]),
      Buffer.from(value),
    ]);
    head.writeUInt16BE(Buffer.byteLength(value), name.length + 2);
    return head;
  });
  const head = Buffer.concat(parts);
  const message = Buffer.alloc(16 + head.length + payload.length);
  message.writeUInt32BE(message.length, 0);
  message.writeUInt32BE(head.length, 4);
  message.writeUInt32BE(crc32(message.subarray(0, 8)), 8);
  head.copy(message, 12);
  payload.copy(message, 12 + head.length);
  message.writeUInt32BE(crc32(message.subarray(0, message.length - 4)), message.length - 4);
  return message;
}

export function awsEvent(type: string, value: object): Buffer {
  const headers = { ':event-type': type, ':content-type': 'application/json', ':message-type': 'event' };
  return awsMessage(headers, Buffer.from(JSON.stringify(value)));
}

export function awsException(type: string, value: object): Buffer {
  const headers = { ':exception-type': type, ':content-type': 'application/json', ':message-type': 'exception' };
  return awsMessage(headers, Buffer.from(JSON.stringify(value)));
}
