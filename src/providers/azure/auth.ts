import { createHash, X509Certificate } from 'node:crypto';
import { z } from 'zod';
import { apiKeyAuth, isCertificate } from '../../config/account-schema.ts';
import { privateKeyText } from '../../config/private-key.ts';
import { optionalKey, secretText } from '../../config/scalar-schema.ts';

const idError = 'an id or a domain: letters, digits, `.` and `-`';
const id = () => z.string({ error: idError }).regex(/^[A-Za-z0-9.-]{1,128}$/, { error: idError });
const application = {
  tenant_id: id().describe('The directory (tenant) of the application.'),
  client_id: id().describe('The application (client) id.'),
};

const pemError = 'a private key in PEM form, with its certificate where `certificate_thumbprint` is not given';
const thumbprintError = 'the SHA-1 of the certificate, as base64url or as hexadecimal digits';

const certificateAuth = z
  .object({
    type: z.literal('certificate'),
    ...application,
    certificate: privateKeyText(pemError).describe(
      'The private key and the certificate, both in PEM form, one behind the other.',
    ),
    certificate_thumbprint: optionalKey(z.string({ error: thumbprintError }).transform(toBase64Url))
      .refine((print) => print === undefined || /^[A-Za-z0-9_-]{27}$/.test(print), { error: thumbprintError })
      .describe('The SHA-1 of the certificate; absent: that of the certificate in `certificate`.'),
  })
  .transform((auth, context) => {
    const print = auth.certificate_thumbprint ?? thumbprintOf(auth.certificate);
    if (print !== undefined) return { ...auth, certificate_thumbprint: print };
    context.addIssue({ code: 'custom', path: ['certificate'], message: pemError });
    return z.NEVER;
  });

/** How an account of Azure is authorised. Managed identities are ours, not of the reference manifests. */
export const azureAuth = z.discriminatedUnion('type', [
  apiKeyAuth,
  z.object({
    type: z.literal('client-secret'),
    ...application,
    client_secret: secretText().describe('A secret of the application.'),
  }),
  certificateAuth,
  z.object({ type: z.literal('workload-identity'), ...application }),
  z.object({
    type: z.literal('managed-identity'),
    client_id: optionalKey(id()).describe('Of a user-assigned identity; absent: that of the machine.'),
  }),
]);

export type AzureAuth = z.output<typeof azureAuth>;

/** https://learn.microsoft.com/en-us/entra/identity-platform/certificate-credentials: `x5t` */
function thumbprintOf(pem: string): string | undefined {
  const [certificate] = /-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/.exec(pem) ?? [];
  if (certificate === undefined || !isCertificate(certificate)) return undefined;
  return createHash('sha1').update(new X509Certificate(certificate).raw).digest('base64url');
}

function toBase64Url(print: string): string {
  const hexadecimal = print.replaceAll(':', '').trim();
  if (/^[0-9A-Fa-f]{40}$/.test(hexadecimal)) return Buffer.from(hexadecimal, 'hex').toString('base64url');
  return print.trim().replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '');
}
