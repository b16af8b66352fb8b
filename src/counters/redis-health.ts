import type { RedisValues } from './redis-values.ts';

/** All gateways together; the one that was told longest ago makes room. */
const MAX_ENTRIES = 16_384;
/** Entries of one answer: the next one brings the rest. */
const PAGE = 500;
/** Longer than anything is out. */
const KEPT_MS = 25 * 3_600_000;

const PREFIX = 'sluice:health:';
const KEYS = [`${PREFIX}entries`, `${PREFIX}order`, `${PREFIX}probes`, `${PREFIX}version`];

/** The state of one circuit, by the digest of its name. Milliseconds from now, or before now. */
export interface ToldCircuit {
  readonly digest: string;
  readonly out: boolean;
  readonly forMs: number;
  readonly outSinceMs: number;
  readonly reason: number;
  readonly timesOut: number;
  readonly recoveredSinceMs: number | undefined;
}

export interface HealthQuestion {
  /** Names this process alone. */
  readonly by: string;
  /** The last version that was heard; 0: none. */
  readonly since: number;
  readonly changes: readonly ToldCircuit[];
  /** Digests of circuits that somebody here may want to probe. */
  readonly wanted: readonly string[];
  /** How long a permit to probe is good. */
  readonly permitMs: number;
}

export interface HealthAnswer {
  readonly version: number;
  /** More was told than is in this answer. */
  readonly more: boolean;
  /** What others told. */
  readonly entries: readonly ToldCircuit[];
  /** Those of `wanted` that this gateway may probe. */
  readonly permitted: ReadonlySet<string>;
}

/*
 * KEYS: entries by digest, their order by version, who may probe what until when, the last version. One step: what changed
 * is written, what others changed is read, and permits are given to whoever asks first. Times in Redis are those of Redis.
 */
const EXCHANGE = `
local call, by, since, permit = redis.call, ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local at = 5
for each = 1, tonumber(ARGV[4]) do
  local digest, recovered = ARGV[at], tonumber(ARGV[at + 6])
  local version = call('INCR', KEYS[4])
  call('HSET', KEYS[1], digest, cjson.encode({by, ARGV[at + 1], string.format('%.0f', now + ARGV[at + 2]),
    string.format('%.0f', now - ARGV[at + 3]), ARGV[at + 4], ARGV[at + 5],
    recovered < 0 and '' or string.format('%.0f', now - recovered)}))
  call('ZADD', KEYS[2], version, digest)
  call('HDEL', KEYS[3], digest)
  at = at + 7
end
if tonumber(ARGV[4]) > 0 then
  local beyond = call('ZCARD', KEYS[2]) - ${MAX_ENTRIES}
  if beyond > 0 then
    for _, digest in ipairs(call('ZRANGE', KEYS[2], 0, beyond - 1)) do
      call('HDEL', KEYS[1], digest)
      call('ZREM', KEYS[2], digest)
    end
  end
  for each = 1, 4 do call('PEXPIRE', KEYS[each], ${KEPT_MS}) end
end
local last = tonumber(call('GET', KEYS[4]) or '0')
if since > last then since = 0 end
local told, page = {}, call('ZRANGEBYSCORE', KEYS[2], '(' .. since, '+inf', 'WITHSCORES', 'LIMIT', 0, ${PAGE})
for each = 1, #page, 2 do
  local text = call('HGET', KEYS[1], page[each])
  local entry = text and cjson.decode(text)
  if entry and entry[1] ~= by then
    told[#told + 1] = page[each]
    told[#told + 1] = tonumber(entry[2])
    told[#told + 1] = entry[3] - now
    told[#told + 1] = now - entry[4]
    told[#told + 1] = tonumber(entry[5])
    told[#told + 1] = tonumber(entry[6])
    told[#told + 1] = entry[7] == '' and -1 or math.max(0, now - entry[7])
  end
end
local more = #page == 2 * ${PAGE} and 1 or 0
local version = more == 1 and tonumber(page[#page]) or last
local permitted, wanted = {}, tonumber(ARGV[at])
for each = at + 1, at + wanted do
  local digest = ARGV[each]
  local holder, untilMs = string.match(call('HGET', KEYS[3], digest) or '', '^(%S+) (%d+)$')
  if not holder or holder == by or tonumber(untilMs) <= now then
    call('HSET', KEYS[3], digest, by .. ' ' .. string.format('%.0f', now + permit))
    permitted[#permitted + 1] = digest
  end
end
if wanted > 0 then call('PEXPIRE', KEYS[3], ${KEPT_MS}) end
return {version, more, told, permitted}
`;

/** Tells the others and hears them, in one step of Redis; `away`: nothing is known. */
export async function exchangeHealth(redis: RedisValues, question: HealthQuestion): Promise<HealthAnswer | 'away'> {
  const { by, since, changes, wanted, permitMs } = question;
  const reply = await redis.run(EXCHANGE, KEYS, [
    by,
    String(since),
    String(permitMs),
    String(changes.length),
    ...changes.flatMap(({ digest, out, forMs, outSinceMs, reason, timesOut, recoveredSinceMs = -1 }) => [
      digest,
      ...[out ? 1 : 0, forMs, outSinceMs, reason, timesOut, recoveredSinceMs].map((number) =>
        String(Math.round(number)),
      ),
    ]),
    String(wanted.length),
    ...wanted,
  ]);
  return answerOf(reply) ?? 'away';
}

/** Undefined: whoever answered is no Redis. */
function answerOf(reply: unknown): HealthAnswer | undefined {
  if (!Array.isArray(reply)) return undefined;
  const [version, more, told, permitted]: unknown[] = reply;
  if (typeof version !== 'number' || !Array.isArray(told) || !Array.isArray(permitted)) return undefined;
  const entries: ToldCircuit[] = [];
  for (let at = 0; at + 7 <= told.length; at += 7) {
    const [out, forMs, outSinceMs, reason, timesOut, recovered] = told.slice(at + 1, at + 7).map(Number);
    entries.push({
      digest: String(told[at]),
      out: out === 1,
      forMs: forMs!,
      outSinceMs: outSinceMs!,
      reason: reason!,
      timesOut: timesOut!,
      recoveredSinceMs: recovered! < 0 ? undefined : recovered!,
    });
  }
  return { version, more: more === 1, entries, permitted: new Set(permitted.map(String)) };
}
