import { connect, constants } from 'node:http2';

export interface GrpcRequest {
  /** `http://` or `https://`; the path is not used. */
  readonly url: string;
  /** `/package.Service/Method` */
  readonly path: string;
  /** Flat name-value pairs. */
  readonly headers: readonly string[];
  /** One protobuf message. */
  readonly body: Buffer;
  readonly timeoutMs: number;
}

/** A message of gRPC has a byte that says whether it is compressed, and its length. */
const PREFIX_BYTES = 5;

/**
 * One unary call on a connection of its own: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md. Resolves with
 * the status of the call; rejects where there is none within `timeoutMs`.
 */
export function grpcUnary({
  url,
  path,
  headers,
  body,
  timeoutMs,
}: GrpcRequest): Promise<{ status: number; message: string }> {
  return new Promise((resolve, reject) => {
    const session = connect(new URL(url).origin);
    const timer = setTimeout(() => fail(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
    const over = (): void => {
      clearTimeout(timer);
      session.destroy();
    };
    const fail = (error: Error): void => {
      over();
      reject(error);
    };
    session.once('error', fail);
    const own: Record<string, string> = {};
    for (let at = 0; at + 1 < headers.length; at += 2) own[headers[at]!.toLowerCase()] = headers[at + 1]!;
    const stream = session.request({
      ...own,
      [constants.HTTP2_HEADER_METHOD]: 'POST',
      [constants.HTTP2_HEADER_PATH]: path,
      'content-type': 'application/grpc',
      te: 'trailers',
      'grpc-timeout': `${timeoutMs}m`,
    });
    let httpStatus = 0;
    const found: { status?: number; message: string } = { message: '' };
    const read = (heard: Record<string, unknown>): void => {
      if (heard['grpc-status'] === undefined) return;
      found.status = Number(heard['grpc-status']);
      found.message = String(heard['grpc-message'] ?? '').slice(0, 200);
    };
    stream.on('response', (heard) => {
      httpStatus = Number(heard[constants.HTTP2_HEADER_STATUS]);
      // An answer of headers alone has the status among them.
      read(heard);
    });
    stream.on('trailers', read);
    stream.on('error', fail);
    stream.on('close', () => {
      over();
      const { status, message } = found;
      if (status === undefined) reject(new Error(`the answer has no gRPC status (HTTP ${httpStatus})`));
      else resolve({ status, message });
    });
    stream.resume();
    const prefix = Buffer.alloc(PREFIX_BYTES);
    prefix.writeUInt32BE(body.length, 1);
    stream.write(prefix);
    stream.end(body);
  });
}
