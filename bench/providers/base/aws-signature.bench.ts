import assert from 'node:assert/strict';
import { AwsSigner } from '../../../src/providers/base/aws-signature.ts';
import { type BenchTask, subjectOf, task } from '../../harness/subject.ts';

const signer = new AwsSigner(
  { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY', sessionToken: 'token' },
  { region: 'eu-west-1', service: 'bedrock' },
);
const at = Date.parse('2026-03-01T12:00:00Z');

/** Signatures that the signer of AWS's SDKs (@smithy/signature-v4) made for the same requests. */
export const inputs = {
  bodies: [
    {
      name: '2 KB',
      body: Buffer.alloc(2_048, 'a'),
      signature: '2dec3d36cc493fb1a15d31a7080a6ec0aae85dbc7e2cb00d24203b00251f3e0b',
    },
    {
      name: '100 KB',
      body: Buffer.alloc(102_400, 'a'),
      signature: '03d4b2b6ad84a53c9b949777fe0e4529ea5e46d5624e16614b60b03d31870d1b',
    },
  ],
};

export const subject = subjectOf(inputs.bodies.map(sign));

function sign({ name, body, signature }: (typeof inputs.bodies)[number]): BenchTask {
  const request = {
    method: 'POST',
    origin: 'https://bedrock-runtime.eu-west-1.amazonaws.com',
    path: '/model/us.amazon.nova-2-lite-v1%3A0/converse-stream',
    headers: ['content-type', 'application/json'],
    body,
  } as const;
  return task({
    name: `sign a request with a body of ${name}`,
    bytes: body.length,
    run: () => signer.sign(request, at),
    check: (headers) => assert.ok(headers.at(-1)?.endsWith(`Signature=${signature}`), headers.at(-1)),
  });
}
