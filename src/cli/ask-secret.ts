import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';

const MAX_BYTES = 65_536;

/** A secret from the terminal, whose letters are not shown; from a pipe its first line. Empty: none came. */
export async function askSecret(question: string): Promise<string> {
  const { stdin, stderr } = process;
  if (!stdin.isTTY) return firstLine(stdin);
  stderr.write(question);
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: stdin, output: nowhere, terminal: true });
  try {
    return await lines.question('');
  } finally {
    lines.close();
    stderr.write('\n');
  }
}

async function firstLine(input: AsyncIterable<Buffer | string>): Promise<string> {
  let text = '';
  for await (const chunk of input) {
    text += chunk;
    if (text.includes('\n') || text.length > MAX_BYTES) break;
  }
  return text.split('\n')[0]?.slice(0, MAX_BYTES) ?? '';
}
