/** Vectors, speech, transcripts and files: what their bytes cost to carry, beside whoever carries them too. */
import type { ClosedLoop } from '../driver/job.ts';
import { driverShare, measure, megabytes, percentiles } from '../measure.ts';
import type { Subject } from '../peers/peer.ts';
import { type Bench, count, cpu, type Scenario, timing } from '../scenario.ts';

const ROUND_MS = 4_000;
const RECORDING_BYTES = 25_000_000;
const FILE_BYTES = 50_000_000;

type Media = {
  name: string;
  summary: string;
  path: string;
  model: string;
  connections: number;
  /** The requests of one round; absent: as many as its time allows. */
  requests?: number;
  /** Content type and body, with the model as the subject calls it. */
  form(model: string): { contentType: string; body: string };
  /** Takes away what a round left. */
  cleanUp?(subject: Subject): Promise<void>;
};

const asJson = (value: object) => ({ contentType: 'application/json', body: JSON.stringify(value) });
const field = (head: string, value: string) => `--B\r\ncontent-disposition: form-data; ${head}\r\n\r\n${value}\r\n`;

export const embeddingsHeavy = scenario({
  name: 'embeddings-heavy',
  summary: '512 texts to vectors of 1,536 floats as base64 (4 MB), 8 connections: CPU and memory of each answer',
  path: '/embeddings',
  model: 'mock-embeddings',
  connections: 8,
  form: (model) =>
    asJson({
      model,
      encoding_format: 'base64',
      input: Array.from({ length: 512 }, (_, at) => `Sentence ${at} about a mill pond and its sluice.`),
    }),
});

export const speechStream = scenario({
  name: 'speech-stream',
  summary: '256 KB of audio in 16 pieces, 32 connections: CPU and memory of each answer',
  path: '/audio/speech',
  model: 'mock-speech',
  connections: 32,
  form: (model) => asJson({ model, voice: 'any', input: 'Water runs downhill. '.repeat(20) }),
});

export const transcribe = scenario({
  name: 'transcribe',
  summary: 'recordings of 25 MB to a transcript, 2 connections: CPU and memory of each upload',
  path: '/audio/transcriptions',
  model: 'mock-transcription',
  connections: 2,
  form: (model) => ({
    contentType: 'multipart/form-data; boundary=B',
    body: `${field('name="model"', model)}${field('name="file"; filename="a.wav"', 'w'.repeat(RECORDING_BYTES))}--B--\r\n`,
  }),
});

export const upload = scenario({
  name: 'upload',
  summary: 'files of 50 MB to the disk, 2 connections, 16 a round: CPU and memory of each',
  path: '/files',
  model: 'mock-whole',
  connections: 2,
  requests: 16,
  form: () => ({
    contentType: 'multipart/form-data; boundary=B',
    body: `${field('name="purpose"', 'assistants')}${field('name="file"; filename="a.bin"', 'w'.repeat(FILE_BYTES))}--B--\r\n`,
  }),
  cleanUp: deleteFiles,
});

/** Only Sluice keeps them. */
async function deleteFiles({ baseUrl, headers, operator }: Subject): Promise<void> {
  if (operator === undefined) return;
  const list: unknown = await (await fetch(`${baseUrl}/files?limit=10000`, { headers })).json();
  const { data } = list as { data: { id: string }[] };
  for (const { id } of data) await fetch(`${baseUrl}/files/${id}`, { method: 'DELETE', headers });
}

function scenario(media: Media): Scenario {
  return {
    name: media.name,
    summary: media.summary,
    models: () => [media.model],
    rounds: 2,
    costKey: 'cpuPerRequestUs',
    columns: [
      timing('requestsPerSecond', 'requests/s', 1),
      timing('latencyP50Us', 'p50 µs'),
      timing('latencyP99Us', 'p99 µs'),
      cpu('cpuPerRequestUs', 'CPU µs/request'),
      count('rssBeforeMb', 'RSS before MB', 1),
      count('rssPeakMb', 'peak', 1),
      count('driverPercent', 'driver %'),
    ],
    async warmUp(bench, subject) {
      await bench.driver.run(loop(bench, subject, media, 1_000), 30_000);
      await media.cleanUp?.(subject);
    },
    async round(bench, subject) {
      const measured = await measure(
        bench.driver,
        subject,
        loop(bench, subject, media, bench.settings.durationMs ?? ROUND_MS),
      );
      await media.cleanUp?.(subject);
      const { result } = measured;
      return {
        figures: {
          requestsPerSecond: (result.completed / result.elapsedMs) * 1000,
          ...percentiles(result, 'latency'),
          cpuPerRequestUs: measured.cpuUs / result.completed,
          rssBeforeMb: megabytes(measured.rssBefore),
          rssPeakMb: megabytes(measured.rssPeak),
          driverPercent: driverShare(result) * 100,
        },
        voids: measured.voids,
      };
    },
  };
}

function loop({ settings }: Bench, subject: Subject, media: Media, maxMs: number): ClosedLoop {
  const { contentType, body } = media.form(subject.modelName(media.model));
  return {
    kind: 'closed-loop',
    request: {
      url: `${subject.baseUrl}${media.path}`,
      headers: { ...subject.headers, 'content-type': contentType },
      body,
    },
    expect: { status: 200 },
    connections: settings.connections ?? media.connections,
    requests: settings.requests ?? media.requests ?? Number.MAX_SAFE_INTEGER,
    maxMs,
    connectionPer: 'run',
  };
}
