import assert from 'node:assert/strict';
import { test } from 'node:test';
import { boundaryOf, MAX_PARTS, MultipartScan } from '../../../src/codec/multipart.ts';

const WANTED = new Set(['model', 'stream']);
const part = (head: string, value: string) => `--b\r\n${head}\r\n\r\n${value}\r\n`;
const field = (name: string, value: string) => part(`Content-Disposition: form-data; name="${name}"`, value);
const file = (value: string, filename = 'a.wav') =>
  part(`Content-Disposition: form-data; name="file"; filename="${filename}"\r\nContent-Type: audio/wav`, value);
const END = '--b--\r\n';

function scanned(body: Buffer, cuts: Iterable<number>): MultipartScan {
  const scan = new MultipartScan('b', WANTED);
  for (const cut of cuts) scan.advance(body, cut);
  scan.advance(body, body.length);
  scan.finish(body.length);
  return scan;
}

function scan(text: string): MultipartScan {
  const body = Buffer.from(text);
  const whole = scanned(body, []);
  const bytewise = scanned(
    body,
    Array.from({ length: body.length }, (_, at) => at),
  );
  assert.deepEqual([...bytewise.parts], [...whole.parts], 'it reads the same however it is cut');
  assert.deepEqual(bytewise.fault, whole.fault);
  assert.equal(bytewise.textBytes, whole.textBytes);
  return whole;
}

function values(text: string): Record<string, string> {
  const { parts, fault } = scan(text);
  assert.equal(fault, undefined);
  const body = Buffer.from(text);
  return Object.fromEntries([...parts].map(([name, { start, end }]) => [name, body.toString('utf8', start, end)]));
}

const detailOf = (text: string): string => {
  const { fault } = scan(text);
  assert.equal(fault?.kind, 'syntax');
  return fault.detail;
};

test('parts are found in any order, however the body is cut', () => {
  assert.deepEqual(values(field('model', 'a/m') + file('RIFF') + END), { model: 'a/m' });
  assert.deepEqual(values(file('RIFF\r\n\r\n--\r\n-b') + field('stream', 'true') + field('model', 'a/m') + END), {
    model: 'a/m',
    stream: 'true',
  });
  assert.deepEqual(values(`\r\n${field('model', '')}--b--`), { model: '' });
  assert.equal(scan(field('model', 'a/m') + file('RIFF') + field('prompt', 'four') + END).textBytes, 7);
});

test('a boundary in the middle of a line is a part of its value', () => {
  const text = file('RIFF --b\r\n-x--b--') + field('model', 'a--b/m') + END;
  assert.deepEqual(values(text), { model: 'a--b/m' });
  assert.match(detailOf(`${field('prompt', '--b/m')}${END}`), /CR LF/);
});

test('headers may be written as clients write them', () => {
  for (const head of [
    'content-disposition: form-data; name=model',
    'CONTENT-DISPOSITION:FORM-DATA;NAME="model"',
    'Content-Type: text/plain; charset=utf-8\r\nContent-Disposition: form-data ; name="model" ;',
    'Content-Disposition: form-data; name="model"\r\nContent-Transfer-Encoding: binary\r\nContent-Length: 3',
  ])
    assert.deepEqual(values(part(head, 'a/m') + END), { model: 'a/m' });
});

test('a file name from hell that can be read in one way only is passed on', () => {
  for (const name of [
    '../../etc/passwd',
    'C:\\temp\\x.wav',
    'Grüße 🎵.wav',
    '%22; name=%22model',
    'x'.repeat(4_000),
    '',
  ])
    assert.deepEqual(values(file('x', name) + field('model', 'a/m') + END), { model: 'a/m' });
});

test('a form that two readers could read in two ways is a fault', () => {
  for (const name of ['a\\"; name=\\"model', 'a\u0000.wav', 'a\nContent-Disposition: x', 'a\r.wav', 'a"; name="model'])
    assert.notEqual(scan(file('x', name) + field('model', 'a/m') + END).fault, undefined, name);
  assert.match(detailOf(field('model', 'a') + END.replace('--\r\n', 'cd')), /line end/);
  assert.match(detailOf(`${field('prompt', 'x\n--b\r\n')}${END}`), /CR LF/);
  assert.match(detailOf(`${field('model', 'a') + END}trailing`), /behind the end/);
  assert.match(detailOf(part('Content-Disposition: form-data; name="a"; name="model"', 'x') + END), /once/);
  assert.match(detailOf(part("Content-Disposition: form-data; name*=utf-8''model", 'x') + END), /name/);
  assert.match(
    detailOf(part('Content-Disposition: form-data; name="a"\r\nContent-Disposition: form-data; name="b"', '') + END),
    /two content-dispositions/,
  );
  assert.deepEqual(scan(field('model', 'a') + field('model', 'b') + END).fault, { kind: 'repeated', name: 'model' });
  assert.deepEqual(scan(field('Model', 'a') + END).fault, { kind: 'case', name: 'model' });
  assert.deepEqual(scan(part('Content-Disposition: form-data; name="model"; filename="m"', 'a') + END).fault, {
    kind: 'file',
    name: 'model',
  });
  assert.deepEqual(
    scan(part('Content-Disposition: form-data; name="model"\r\nContent-Transfer-Encoding: base64', 'YQ==') + END).fault,
    { kind: 'encoded', name: 'model' },
  );
});

test('a text that another reader would decode otherwise than as UTF-8 is a fault', () => {
  const typed = (type: string) =>
    detailOf(part(`Content-Disposition: form-data; name="prompt"\r\nContent-Type: ${type}`, 'x') + END);
  for (const charset of ['utf-16', 'UTF-7', '"utf-16le"', 'cp037', '""', 'utf-8; charset=utf-7'])
    assert.match(typed(`text/plain; charset=${charset}`), /charset other than UTF-8/, charset);
  assert.match(typed('text/plain\r\nContent-Type: text/plain; charset=utf-7'), /two content-types/);
  assert.match(detailOf(field('_charset_', 'utf-7') + END), /_charset_/);
  for (const charset of ['utf-7', '"UTF-16"'])
    assert.equal(boundaryOf(`multipart/form-data; boundary=b; charset=${charset}`), undefined);
  for (const charset of ['utf-8', 'UTF-8', 'us-ascii', 'ISO-8859-1']) {
    assert.equal(boundaryOf(`multipart/form-data; charset=${charset}; boundary=b`), 'b');
    const head = `Content-Disposition: form-data; name="model"\r\nContent-Type: text/plain; charset=${charset}`;
    assert.deepEqual(values(part(head, 'x') + END), { model: 'x' });
  }
  const captions =
    'Content-Disposition: form-data; name="file"; filename="a"\r\nContent-Type: text/plain; charset=utf-16';
  assert.deepEqual(values(part(captions, 'x') + END), {});
});

test('a part that says twice how it is encoded is encoded where it says so once', () => {
  const twice = 'Content-Transfer-Encoding: base64\r\nContent-Transfer-Encoding: binary';
  const { fault } = scan(part(`Content-Disposition: form-data; name="model"\r\n${twice}`, 'x') + END);
  assert.equal(fault?.kind, 'encoded');
});

test('a form that breaks off, begins otherwise or has too much of something is a fault that says so', () => {
  const whole = field('model', 'a/m') + file('RIFF') + END;
  // Only line ends may be missing behind the last boundary.
  for (let length = 0; length < whole.length - 2; length += 1) {
    assert.notEqual(scan(whole.slice(0, length)).fault, undefined, `cut at ${length}`);
  }
  assert.match(detailOf('--c\r\n'), /does not begin with the boundary/);
  assert.match(detailOf(''), /no part/);
  assert.match(detailOf(field('a', '').repeat(1_000) + END), new RegExp(`more than ${MAX_PARTS} parts`));
  assert.match(detailOf(file('', 'x'.repeat(9_000)) + END), /longer than 8192 bytes/);
  assert.match(detailOf(part('nonsense', '') + END), /malformed/);
  assert.match(detailOf(part('Content-Type: text/plain', '') + END), /content-disposition/);
});

test('a boundary is one, quoted or not, of the characters that it may have', () => {
  assert.equal(boundaryOf('multipart/form-data; boundary=abc'), 'abc');
  assert.equal(boundaryOf('Multipart/Form-Data;charset=utf-8; Boundary="a b:c"'), 'a b:c');
  for (const wrong of [
    undefined,
    'application/json',
    'multipart/form-data',
    'multipart/mixed; boundary=a',
    'multipart/form-data; boundary=',
    'multipart/form-data; boundary=a; boundary=b',
    'multipart/form-data; boundary="a ',
    'multipart/form-data; boundary="a "',
    `multipart/form-data; boundary=${'a'.repeat(71)}`,
    'multipart/form-data; boundary="a\u00e4"',
  ])
    assert.equal(boundaryOf(wrong), undefined, wrong);
});
