import type { SmtpServer } from '../config/channels/notification-target.ts';
import { systemCode } from '../store/store-fault.ts';
import type { Delivery } from './deliver-http.ts';

export interface Email {
  readonly smtp: SmtpServer;
  readonly from: string;
  readonly to: readonly string[];
  readonly subject: string;
  readonly text: string;
}

/** By tradition TLS from the first byte on; on all other ports `tls` means STARTTLS, and without it nothing is sent. */
const SMTPS_PORT = 465;

export async function deliverEmail(email: Email, deadlineMs: number): Promise<Delivery> {
  const { host, port, tls, username, password } = email.smtp;
  // Loaded with the first message: most gateways send none.
  const { createTransport } = await import('nodemailer');
  const transport = createTransport({
    host,
    port,
    secure: tls && port === SMTPS_PORT,
    requireTLS: tls,
    ignoreTLS: !tls,
    ...(username !== undefined && { auth: { user: username, pass: password ?? '' } }),
    connectionTimeout: deadlineMs,
    greetingTimeout: deadlineMs,
    socketTimeout: deadlineMs,
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  try {
    await within(
      deadlineMs,
      transport.sendMail({ from: email.from, to: [...email.to], subject: email.subject, text: email.text }),
    );
    return { sent: true };
  } catch (error) {
    return failureOf(error);
  } finally {
    transport.close();
  }
}

/** A server that answers each command in time could still take for ever with all of them. */
async function within<T>(deadlineMs: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Late()), deadlineMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

class Late extends Error {
  readonly code = 'ETIMEDOUT';
}

/** Codes only: a server's own words may repeat an address or a password. 5xx stays so, whatever is tried. */
function failureOf(error: unknown): Delivery {
  const status: unknown = error instanceof Error ? Reflect.get(error, 'responseCode') : undefined;
  const code = systemCode(error) ?? 'failed';
  if (typeof status !== 'number') return { sent: false, reason: `smtp: ${code}`, again: code !== 'EAUTH' };
  return { sent: false, reason: `smtp: ${code} ${status}`, again: status < 500 };
}
