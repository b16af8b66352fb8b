import type { HostRow } from '../host-row.ts';

/** Servers that people run on a machine of their own. */
export const OWN_MACHINE: readonly HostRow[] = [
  {
    id: 'lmstudio',
    title: 'LM Studio',
    mounts: { chat: 'http://127.0.0.1:1234/v1' },
    keyless: true,
    usage: 'asked',
    serves: ['chat', 'embedding'],
    known: 'listed',
  },
  {
    id: 'llamafile',
    title: 'llamafile, llama.cpp',
    mounts: { chat: 'http://127.0.0.1:8080/v1' },
    keyless: true,
    reasoning: 'reasoning_content',
    usage: 'asked',
    serves: ['chat', 'embedding'],
    known: 'listed',
  },
  {
    id: 'docker-model-runner',
    title: 'Docker Model Runner',
    mounts: { chat: 'http://127.0.0.1:12434/engines/llama.cpp/v1' },
    keyless: true,
    usage: 'asked',
    serves: ['chat', 'embedding'],
    known: 'listed',
  },
  {
    id: 'xinference',
    title: 'Xinference',
    mounts: { chat: 'http://127.0.0.1:9997/v1' },
    keyless: true,
    usage: 'asked',
    serves: ['chat', 'embedding', 'rerank'],
    known: 'listed',
  },
];
