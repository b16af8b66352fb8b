/** Every scenario, in the order in which `list` names them. `overhead` is composed of the first four, `numbers` of more. */
import type { Scenario } from '../scenario.ts';
import { addedLatency } from './added-latency.ts';
import { batch10k } from './batch-10k.ts';
import { cacheBurst, cacheWhole } from './cache.ts';
import { chatBurst } from './chat-burst.ts';
import { chatPaced } from './chat-paced.ts';
import { chatWhole } from './chat-whole.ts';
import { clientLeaves } from './client-leaves.ts';
import { openConsole } from './console.ts';
import { guards } from './guards.ts';
import { idleMemory } from './idle-memory.ts';
import { largeImageBody } from './large-image-body.ts';
import { manyStreams, slowStreams } from './many-streams.ts';
import { mcp } from './mcp.ts';
import { embeddingsHeavy, speechStream, transcribe, upload } from './media.ts';
import { operatorWork } from './operator-work.ts';
import { policies } from './policies.ts';
import { slowReader } from './slow-reader.ts';
import { storm } from './storm.ts';
import { tails } from './tails.ts';
import { translateChat } from './translate-chat.ts';
import { wrongKeys } from './wrong-keys.ts';

export const OVERHEAD: Scenario[] = [chatWhole, chatBurst, chatPaced, addedLatency];

/** Memory first: what comes behind it leaves its traces. */
export const NUMBERS: Scenario[] = [idleMemory, ...OVERHEAD, manyStreams];

export const SCENARIOS: Scenario[] = [
  chatWhole,
  chatBurst,
  chatPaced,
  manyStreams,
  slowStreams,
  slowReader,
  clientLeaves,
  largeImageBody,
  translateChat,
  embeddingsHeavy,
  speechStream,
  transcribe,
  upload,
  wrongKeys,
  mcp,
  addedLatency,
  tails,
  operatorWork,
  openConsole,
  batch10k,
  policies,
  guards,
  cacheWhole,
  cacheBurst,
  storm,
  idleMemory,
];
