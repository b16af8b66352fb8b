import assert from 'node:assert/strict';
import { test } from 'node:test';
import { overriddenForm } from '../../../../src/dialects/openai-json/form-scan.ts';

const TYPE = 'multipart/form-data; boundary=b';
const field = (name: string, value: string) =>
  `--b\r\ncontent-disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`;

test('a step sets parameters of a form in the place of the client’s, or in front of them', () => {
  for (const start of ['', '\r\n']) {
    const body = Buffer.from(
      `${start}${field('model', 'a/m')}${field('language', 'en')}${field('file', 'RIFF')}--b--\r\n`,
    );
    const changed = overriddenForm(body, { temperature: 0.5, language: 'deutsch', stream: true }, TYPE);
    assert.equal(
      changed?.toString(),
      `${start}${field('temperature', '0.5')}${field('stream', 'true')}${field('model', 'a/m')}${field('language', 'deutsch')}${field('file', 'RIFF')}--b--\r\n`,
    );
  }
  assert.equal(overriddenForm(Buffer.from('{}'), { n: 1 }, 'application/json'), undefined);
});
