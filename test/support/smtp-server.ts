import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';

export interface ReceivedMail {
  readonly from: string;
  readonly to: string[];
  /** Headers and body as they came. */
  readonly data: string;
}

export interface SmtpServer extends AsyncDisposable {
  readonly port: number;
  readonly mails: ReceivedMail[];
  /** Decoded `AUTH PLAIN` of the last client, as `\0user\0password`. */
  auth: string | undefined;
}

/** A mail server (RFC 5321, as much of it as a client needs) that keeps what it gets. `refuse`: recipients it does not know. */
export async function startSmtpServer(refuse: readonly string[] = []): Promise<SmtpServer> {
  const mails: ReceivedMail[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => {});
    const reply = (line: string) => socket.write(`${line}\r\n`);
    let mail = { from: '', to: [] as string[] };
    let data: string | undefined;
    let rest = '';
    reply('220 test ESMTP');
    socket.on('data', (bytes: Buffer) => {
      rest += bytes.toString();
      for (;;) {
        if (data !== undefined) {
          const end = rest.indexOf('\r\n.\r\n');
          if (end < 0) return;
          mails.push({ ...mail, data: rest.slice(0, end) });
          rest = rest.slice(end + 5);
          data = undefined;
          mail = { from: '', to: [] };
          reply('250 kept');
          continue;
        }
        const end = rest.indexOf('\r\n');
        if (end < 0) return;
        const line = rest.slice(0, end);
        rest = rest.slice(end + 2);
        const address = /<(.*?)>/.exec(line)?.[1] ?? '';
        if (line.startsWith('EHLO')) socket.write('250-test\r\n250 AUTH PLAIN\r\n');
        else if (line.startsWith('AUTH PLAIN ')) {
          running.auth = Buffer.from(line.slice('AUTH PLAIN '.length), 'base64').toString();
          reply('235 ok');
        } else if (line.startsWith('MAIL FROM')) {
          mail.from = address;
          reply('250 ok');
        } else if (line.startsWith('RCPT TO')) {
          if (refuse.includes(address)) reply('550 nobody of that name');
          else {
            mail.to.push(address);
            reply('250 ok');
          }
        } else if (line === 'DATA') {
          data = '';
          reply('354 go on');
        } else if (line === 'QUIT') {
          reply('221 bye');
          socket.end();
        } else reply('502 what?');
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const running: SmtpServer = {
    port: (server.address() as AddressInfo).port,
    mails,
    auth: undefined,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
  return running;
}
