import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { SERVED_TERMS, TERM_NAMES } from '../../../src/inference/served-as.ts';
import { countIn } from '../../../src/inference/usage.ts';
import { COUNTER_NAMES, USAGE_COUNTERS } from '../../../src/inference/usage-counters.ts';
import { createAccessLog } from '../../../src/telemetry/access-log.ts';
import { createLog } from '../../../src/telemetry/log.ts';
import { addRecords } from '../../support/add-records.ts';
import { fullRecord, plainRecord, WHOLE_RECORD } from './records.ts';

function capture() {
  const lines: string[] = [];
  return { lines, destination: { write: (text: string | Buffer) => lines.push(...String(text).split(/(?<=\n)/)) } };
}

test('every exchange is one line of JSON with what is known of it', () => {
  const { lines, destination } = capture();
  const log = createAccessLog('all', destination);
  addRecords(log, [fullRecord()]);
  addRecords(log, [plainRecord()]);
  assert.equal(lines.length, 2);
  const [full, plain] = lines.map((line) => JSON.parse(line));
  assert.partialDeepStrictEqual(full, {
    msg: 'exchange',
    'http.response.status_code': 200,
    'gen_ai.request.model': 'openai-main/gpt-4o',
    'gen_ai.usage.input_tokens': 100,
    'gen_ai.usage.cache_read.input_tokens': 0,
    'sluice.cost.usd': 1.23456789,
    'error.type': 'idle_timeout',
    'user.id': 'virtualaccount:ci',
  });
  assert.ok(!('gen_ai.usage.input_tokens' in plain) && !('sluice.cost.usd' in plain));
});

test('an access line has every counter that was told, as what it was served, and what of it could not be priced', () => {
  const { lines, destination } = capture();
  addRecords(createAccessLog('all', destination), [{ ...WHOLE_RECORD, costNanoUsd: undefined }, WHOLE_RECORD]);
  const [unknown, known] = lines.map((line) => JSON.parse(line));
  for (const name of COUNTER_NAMES) {
    const counter = USAGE_COUNTERS[name];
    const field = 'attribute' in counter ? counter.attribute : `sluice.usage.${counter.column}`;
    assert.equal(unknown[field], countIn(WHOLE_RECORD.usage, name), field);
  }
  for (const name of TERM_NAMES)
    assert.equal(unknown[`sluice.served_as.${SERVED_TERMS[name].column}`], WHOLE_RECORD.usage.servedAs[name]);
  assert.equal(unknown['sluice.cost.unknown_part'], WHOLE_RECORD.unknownCost.part);
  assert.ok(!('sluice.cost.usd' in unknown) && !('sluice.cost.unknown_part' in known));
});

test('the access line of a refusal says where it came from', () => {
  const { lines, destination } = capture();
  const clientJson = JSON.stringify({
    address: '203.0.113.9',
    userAgent: `u"\n${'x'.repeat(1000)}`,
    path: '/wp-login.php',
  });
  addRecords(createAccessLog('all', destination), [
    plainRecord({ clientJson }),
    plainRecord({ clientJson: '{"address":"::1"}' }),
  ]);
  const [whole, little] = lines.map((line) => JSON.parse(line));
  assert.equal(whole['client.address'], '203.0.113.9');
  assert.ok(whole['user_agent.original'].startsWith('u"\n') && whole['user_agent.original'].length <= 301);
  assert.equal(whole['url.path'], '/wp-login.php');
  assert.equal(little['client.address'], '::1');
  assert.ok(!('user_agent.original' in little));
});

test('an access line tells the attempts and the thread of its own exchange, however many there are', () => {
  const { lines, destination } = capture();
  const counts = [0, 1, 7, 8, 9, 127, 128, 1_000];
  const records = counts.flatMap((attempts) => counts.map((thread) => plainRecord({ attempts, thread })));
  addRecords(createAccessLog('all', destination), [...records, ...records]);
  assert.deepEqual(
    lines.map((line) => JSON.parse(line)).map((line) => [line['sluice.attempts'], line['sluice.thread']]),
    [...records, ...records].map(({ attempts, thread }) => [attempts, thread]),
  );
});

test('an access line has its fields in one order, whatever stands between those that repeat', () => {
  const { lines, destination } = capture();
  const plain = plainRecord();
  const told = { requestId: 'asked-1', errorDetail: 'It failed.', clientJson: '{"address":"::1"}' };
  addRecords(createAccessLog('all', destination), [plain, plainRecord(told), plain]);
  const [usual, unusual, again] = lines.map((line) => Object.entries(JSON.parse(line)));
  assert.deepEqual(usual, again);
  const besides = ['http.request.id', 'error.message', 'client.address'];
  assert.deepEqual(
    unusual?.filter(([name]) => besides.includes(name)),
    besides.map((name, index) => [name, ['asked-1', 'It failed.', '::1'][index]]),
  );
  assert.deepEqual(
    unusual?.filter(([name]) => !besides.includes(name)),
    usual,
  );
});

test('log.access errors keeps failures and clients that left, off keeps nothing, and a reload changes it', () => {
  const { lines, destination } = capture();
  const log = createAccessLog('errors', destination);
  addRecords(log, [plainRecord()]);
  addRecords(log, [plainRecord({ status: 404, outcome: 'error' })]);
  addRecords(log, [plainRecord({ status: 200, outcome: 'cut' })]);
  addRecords(log, [plainRecord({ status: 499, outcome: 'client-closed' })]);
  assert.equal(lines.length, 3);
  log.mode = 'off';
  addRecords(log, [plainRecord({ status: 500, outcome: 'error' })]);
  assert.equal(lines.length, 3);
});

test('a value that a client chose cannot make a log line of its own, nor a long one', () => {
  const { lines, destination } = capture();
  const text = `"\n{"level":"error"}\u2028\ud800${'x'.repeat(100_000)}`;
  addRecords(createAccessLog('all', destination), [
    fullRecord({ requestId: text, model: text, subject: text, path: text, method: text, errorDetail: text }),
  ]);
  assert.equal(lines.length, 1);
  assert.equal(lines[0]!.indexOf('\n'), lines[0]!.length - 1);
  assert.ok(lines[0]!.length < 6000);
  assert.ok(JSON.parse(lines[0]!)['http.request.id'].startsWith('"\n{"level":"error"}'));
});

test('the process log keeps to its level, names its thread and shows what was thrown', () => {
  const { lines, destination } = capture();
  const log = createLog('warn', destination, 3);
  log.info({}, 'not shown');
  log.error({ code: 'internal_error', cause: new Error('broken') }, 'failed');
  log.level = 'info';
  log.info({ n: 1 }, 'shown');
  const [error, info] = lines.map((line) => JSON.parse(line));
  assert.partialDeepStrictEqual(error, { level: 'error', thread: 3, msg: 'failed', cause: { message: 'broken' } });
  assert.match(error.cause.stack, /broken/);
  assert.partialDeepStrictEqual(info, { level: 'info', n: 1, msg: 'shown' });
});

const script = (body: string) => `
  import { bufferedDestination } from ${JSON.stringify(new URL('../../../src/telemetry/line-destination.ts', import.meta.url).href)};
  import { createLog } from ${JSON.stringify(new URL('../../../src/telemetry/log.ts', import.meta.url).href)};
  const destination = bufferedDestination();
  const log = createLog('info', destination);
  ${body}`;

function run(body: string) {
  return spawn(process.execPath, ['--input-type=module', '-e', script(body)], {
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  });
}

test('log lines that wait in the buffer are written at exit', async () => {
  const child = run(`for (let n = 0; n < 1000; n++) log.info({ n }, 'line'); process.exit(0);`);
  let text = '';
  for await (const chunk of child.stdout!) text += chunk;
  const lines = text.trimEnd().split('\n');
  assert.equal(lines.length, 1000);
  assert.equal(JSON.parse(lines[999]!).n, 999);
});

test('a single log line is written without waiting for more', async () => {
  const child = run(`log.info({}, 'alone'); setInterval(() => {}, 1000);`);
  const begin = performance.now();
  const [chunk] = await once(child.stdout!, 'data');
  assert.match(String(chunk), /"msg":"alone"/);
  assert.ok(performance.now() - begin < 5_000);
  child.kill('SIGKILL');
});

test('a log reader that does not read costs a bounded buffer, and lost lines are counted', async () => {
  const child = run(`
    const text = 'x'.repeat(10_000);
    for (let n = 0; n < 3000; n++) {
      log.info({ text }, 'line');
      if (n % 100 === 0) await new Promise(setImmediate);
    }
    process.send(destination.dropped);`);
  const [dropped] = await once(child, 'message');
  // 30 MB were written: 8 MiB are kept, the pipe takes a little.
  assert.ok(dropped > 2000 && dropped < 2300, `${dropped} lines dropped`);
  child.kill('SIGKILL');
});

test('all log lines come whole and in order through a pipe that is read slowly', async () => {
  const child = run(`
    for (let n = 0; n < 2000; n++) {
      log.info({ n, text: 'x'.repeat(n * 7 % 3000) }, 'line');
      if (n % 100 === 99) await new Promise((resolve) => setTimeout(resolve, 2));
    }
    await destination.flush();
    process.send(destination.dropped);`);
  const dropped = once(child, 'message');
  let text = '';
  for await (const chunk of child.stdout!) {
    text += chunk;
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  assert.deepEqual((await dropped)[0], 0);
  const lines = text.trimEnd().split('\n');
  assert.deepEqual(
    lines.map((line) => JSON.parse(line).n),
    Array.from({ length: 2000 }, (_, n) => n),
  );
});

test('flushing the log writes what waits, and a reader that does not read cannot hold the exit', async () => {
  const whole = run(
    `log.info({ text: 'x'.repeat(100_000) }, 'long'); await destination.flush(); process.send('done');`,
  );
  const flushed = once(whole, 'message');
  let text = '';
  whole.stdout!.on('data', (chunk) => {
    text += chunk;
  });
  await flushed;
  await once(whole, 'close');
  assert.equal(JSON.parse(text).text.length, 100_000);

  const stuck = run(`
    for (let n = 0; n < 100; n++) log.info({ text: 'x'.repeat(10_000) }, 'line');
    await destination.flush();
    log.info({}, 'after giving up');
    process.exit(3);`);
  assert.deepEqual(await once(stuck, 'exit'), [3, null]);
  stuck.stdout!.destroy();
});

test('flushing the log waits for a reader that is only slow, and nothing is lost', async () => {
  const child = run(`
    for (let n = 0; n < 100; n++) log.info({ n, text: 'x'.repeat(10_000) }, 'line');
    await destination.flush();
    process.exit(destination.dropped);`);
  const exited = once(child, 'exit');
  const pieces: Buffer[] = [];
  // A megabyte in about two seconds.
  for await (const piece of child.stdout!) {
    pieces.push(piece);
    await new Promise((resolve) => setTimeout(resolve, 120));
  }
  assert.deepEqual(await exited, [0, null]);
  const lines = Buffer.concat(pieces).toString().trimEnd().split('\n');
  assert.deepEqual(
    lines.map((line) => JSON.parse(line).n),
    Array.from({ length: 100 }, (_, n) => n),
  );
});
