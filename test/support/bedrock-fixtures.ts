import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { awsEvent } from './aws-events.ts';

/* Answers of Converse, made after recorded ones: `*.json` are whole, `*.jsonl` streams, one event a line. */

const folder = join(import.meta.dirname, '../fixtures/bedrock');

export function fixtureAnswers(): { label: string; text: string }[] {
  return filesOf('.json').map((label) => ({ label, text: readFileSync(join(folder, label), 'utf8') }));
}

/** As the frames of its event stream. */
export function fixtureStreams(): { label: string; events: Buffer[] }[] {
  return filesOf('.jsonl').map((label) => {
    const lines = readFileSync(join(folder, label), 'utf8').trim().split('\n');
    const events = lines.map((line) => {
      const [[type, value]] = Object.entries(JSON.parse(line)) as [[string, object]];
      return awsEvent(type, value);
    });
    return { label, events };
  });
}

function filesOf(ending: string): string[] {
  return readdirSync(folder).filter((name) => name.endsWith(ending));
}
