import { createHash } from 'node:crypto';
import { crc32, deflateSync } from 'node:zlib';
import { scalarText } from '../../codec/exact-json.ts';
import { isObject, type JsonObject, stringOf } from '../../codec/json-value.ts';
import { boundaryOf, MultipartScan } from '../../codec/multipart.ts';
import { dataEvent } from '../../codec/sse-writer.ts';
import type { LocalRequest, LocalResponder } from '../provider.ts';
import { refusal } from './json-responder.ts';
import { type AnswerParts, PacedAnswer } from './paced-answer.ts';

const EVENT_PACE_MS = 20;
const PNG_SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
const IMAGE_SIDE = 128;
const SAMPLE_RATE = 8_000;
const MAX_SPOKEN_CHARACTERS = 200;

/** Pictures, sounds and transcripts: the same for the same request, and they say that they are a demo. */
export const answerMedia: LocalResponder = (request, handler) => new PacedAnswer(answerTo(request), handler);

function answerTo(request: LocalRequest): AnswerParts {
  if (request.path.startsWith('/audio/speech')) return speech(request);
  return request.path.startsWith('/audio/') ? transcript(request) : images(request);
}

// ── images ──────────────────────────────────────────────────────────────────

/** The demo alone has no address to give, for which a request may ask. */
function images(request: LocalRequest): AnswerParts {
  const fields = fieldsOf(request, ['n', 'stream']);
  const count = Math.min(10, Math.max(1, Number(scalarText(fields['n'])) || 1));
  const b64_json = picture(request.body).toString('base64');
  const usage = {
    input_tokens: 0,
    output_tokens: 0,
    total_tokens: 0,
    input_tokens_details: { image_tokens: 0, text_tokens: 0 },
  };
  const about = { size: `${IMAGE_SIDE}x${IMAGE_SIDE}`, output_format: 'png', background: 'opaque', quality: 'low' };
  const created = Math.floor(Date.now() / 1000);
  if (scalarText(fields['stream']) === 'true') {
    const type = request.path.includes('edits') ? 'image_edit' : 'image_generation';
    return events([
      { type: `${type}.partial_image`, partial_image_index: 0, b64_json, created_at: created, ...about },
      { type: `${type}.completed`, b64_json, created_at: created, usage, ...about },
    ]);
  }
  const data = Array.from({ length: count }, () => ({ b64_json, revised_prompt: DEMO_NOTE }));
  return whole('application/json', JSON.stringify({ created, ...about, data, usage }));
}

const DEMO_NOTE = 'This is the demo of Sluice: no model was asked.';

/** A PNG (https://www.w3.org/TR/png-3/) of waves, whose colours the request chooses. */
function picture(body: Buffer): Buffer {
  const [red = 0, green = 0, blue = 0, bend = 0] = createHash('sha256').update(body).digest();
  const rows = Buffer.alloc(IMAGE_SIDE * (1 + IMAGE_SIDE * 3));
  for (let y = 0; y < IMAGE_SIDE; y += 1) {
    for (let x = 0; x < IMAGE_SIDE; x += 1) {
      const wave = (Math.sin((x + (bend * Math.sin(y / 32)) / 8) / 16) + 1) / 2;
      const at = y * (1 + IMAGE_SIDE * 3) + 1 + x * 3;
      rows[at] = red * wave;
      rows[at + 1] = green * wave;
      rows[at + 2] = 64 + (blue * y) / (2 * IMAGE_SIDE);
    }
  }
  const header = Buffer.alloc(13);
  header.writeUInt32BE(IMAGE_SIDE, 0);
  header.writeUInt32BE(IMAGE_SIDE, 4);
  // Eight bits of red, green and blue each.
  header.set([8, 2], 8);
  const note = Buffer.from(`Comment\0${DEMO_NOTE}`, 'latin1');
  return Buffer.concat([
    PNG_SIGNATURE,
    chunk('IHDR', header),
    chunk('tEXt', note),
    chunk('IDAT', deflateSync(rows)),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

function chunk(type: string, data: Buffer): Buffer {
  const typed = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const framed = Buffer.alloc(typed.length + 8);
  framed.writeUInt32BE(data.length, 0);
  typed.copy(framed, 4);
  framed.writeUInt32BE(crc32(typed), typed.length + 4);
  return framed;
}

// ── audio ───────────────────────────────────────────────────────────────────

/** The text in Morse code: it is read aloud, as far as a demo can. */
function speech({ body }: LocalRequest): AnswerParts {
  const request = parsed(body);
  const input = stringOf(request?.['input']) ?? '';
  const format = request?.['response_format'];
  const samples = morse(input.slice(0, MAX_SPOKEN_CHARACTERS));
  const bytes = format === 'pcm' ? samples : wav(samples);
  if (request?.['stream_format'] === 'sse') {
    const usage = { input_tokens: 0, output_tokens: 0, total_tokens: 0 };
    return events([
      { type: 'speech.audio.delta', audio: bytes.toString('base64') },
      { type: 'speech.audio.done', usage },
    ]);
  }
  const half = bytes.length >> 1;
  return {
    status: 200,
    contentType: format === 'pcm' ? 'audio/pcm' : 'audio/wav',
    pieces: [bytes.subarray(0, half), bytes.subarray(half)].values(),
    paceMs: EVENT_PACE_MS,
  };
}

/** ITU-R M.1677-1. Of others the demo says nothing. */
const MORSE: Readonly<Record<string, string>> = Object.fromEntries(
  (
    'a.- b-... c-.-. d-.. e. f..-. g--. h.... i.. j.--- k-.- l.-.. m-- n-. o--- p.--. q--.- r.-. s... t- u..- v...- ' +
    'w.-- x-..- y-.-- z--.. 0----- 1.---- 2..--- 3...-- 4....- 5..... 6-.... 7--... 8---.. 9----.'
  )
    .split(' ')
    .map((each) => [each[0], each.slice(1)]),
);
const TONE_HZ = 600;
/** A tone for the time of a dot, 16 bits a sample, lowest byte first: whole waves, so that dots can be joined. */
const DOT = Buffer.alloc((SAMPLE_RATE / 20) * 2);
for (let at = 0; at < DOT.length; at += 2) {
  DOT.writeInt16LE(Math.round(8_000 * Math.sin((Math.PI * TONE_HZ * at) / SAMPLE_RATE)), at);
}

function morse(text: string): Buffer {
  // True: a tone for the time of a dot.
  const beats: boolean[] = [];
  for (const letter of text.toLowerCase()) {
    for (const sign of MORSE[letter] ?? '') beats.push(...Array<boolean>(sign === '-' ? 3 : 1).fill(true), false);
    beats.push(false, false);
  }
  const samples = Buffer.alloc(Math.max(1, beats.length) * DOT.length);
  for (const [beat, sounds] of beats.entries()) if (sounds) DOT.copy(samples, beat * DOT.length);
  return samples;
}

/** http://soundfile.sapp.org/doc/WaveFormat/: one channel, 16 bits a sample, and a comment. */
function wav(samples: Buffer): Buffer {
  const format = Buffer.alloc(16);
  format.writeUInt16LE(1, 0);
  format.writeUInt16LE(1, 2);
  format.writeUInt32LE(SAMPLE_RATE, 4);
  format.writeUInt32LE(SAMPLE_RATE * 2, 8);
  format.writeUInt16LE(2, 12);
  format.writeUInt16LE(16, 14);
  // Its length must be even.
  const comment = Buffer.from(DEMO_NOTE.padEnd(DEMO_NOTE.length + 2 - (DEMO_NOTE.length % 2), '\0'), 'latin1');
  const info = Buffer.concat([Buffer.from('INFO'), riff('ICMT', comment)]);
  const chunks = [Buffer.from('WAVE'), riff('fmt ', format), riff('LIST', info), riff('data', samples)];
  return riff('RIFF', Buffer.concat(chunks));
}

function riff(name: string, data: Buffer): Buffer {
  const head = Buffer.alloc(8);
  head.write(name, 0, 'latin1');
  head.writeUInt32LE(data.length, 4);
  return Buffer.concat([head, data]);
}

function transcript(request: LocalRequest): AnswerParts {
  if (!scanOf(request, [])?.entries.some(({ name }) => name === 'file')) return refusal('The part `file` is missing.');
  const fields = fieldsOf(request, ['response_format', 'stream']);
  const text = `${DEMO_NOTE} ${request.body.length} bytes came.`;
  const usage = { type: 'duration', seconds: 1 };
  if (fields['stream'] === 'true') {
    const words = text.match(/\S+\s*/g) ?? [];
    return events([
      ...words.map((delta) => ({ type: 'transcript.text.delta', delta })),
      { type: 'transcript.text.done', text, usage },
    ]);
  }
  switch (fields['response_format']) {
    case 'text':
      return whole('text/plain; charset=utf-8', `${text}\n`);
    case 'srt':
      return whole('text/plain; charset=utf-8', `1\n00:00:00,000 --> 00:00:01,000\n${text}\n\n`);
    case 'vtt':
      return whole('text/vtt', `WEBVTT\n\n00:00:00.000 --> 00:00:01.000\n${text}\n\n`);
    case 'verbose_json': {
      const segments = [{ id: 0, start: 0, end: 1, text }];
      const told = { task: 'transcribe', language: 'english', duration: 1, text, segments, usage };
      return whole('application/json', JSON.stringify(told));
    }
    default:
      return whole('application/json', JSON.stringify({ text, usage }));
  }
}

// ── what they share ─────────────────────────────────────────────────────────

/** Reads the fields of a form or of JSON. */
function fieldsOf(request: LocalRequest, names: readonly string[]): Record<string, unknown> {
  const { body } = request;
  const scan = scanOf(request, names);
  if (scan === undefined) return parsed(body) ?? {};
  return Object.fromEntries([...scan.parts].map(([name, { start, end }]) => [name, body.toString('utf8', start, end)]));
}

/** Undefined where the body is no form. */
function scanOf({ contentType, body }: LocalRequest, names: readonly string[]): MultipartScan | undefined {
  const boundary = boundaryOf(contentType);
  if (boundary === undefined) return undefined;
  const scan = new MultipartScan(boundary, new Set(names));
  scan.advance(body, body.length);
  return scan;
}

function parsed(body: Buffer): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(body.toString('utf8'));
    return isObject(value) ? value : undefined;
  } catch {
    // The scan of the dialect checked what matters; the rest is not read.
    return undefined;
  }
}

function whole(contentType: string, text: string): AnswerParts {
  return { status: 200, contentType, pieces: [Buffer.from(text)].values(), paceMs: 0 };
}

function events(list: readonly object[]): AnswerParts {
  const pieces = list.map((event) => dataEvent(JSON.stringify(event))).values();
  return { status: 200, contentType: 'text/event-stream', pieces, paceMs: EVENT_PACE_MS };
}
