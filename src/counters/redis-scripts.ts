import { createHash } from 'node:crypto';
import { CELLS, CLOCK, KNOWN_OWNER, LEDGER_LIFE_MS, OWNER_LIFE_MS, PERIODS, SWEEP } from './redis-script-parts.ts';

/**
 * What Redis does by itself, each script as one step: no other command comes in between. Redis 5 or newer; one node (or
 * a managed endpoint that looks like one), since a script touches cells that a cluster would keep in different places.
 *
 * Keys (all begin with `sluice:`):
 *
 *     owners          sorted set: owner → until when it counts as alive. An owner is one connection of one relay thread
 *     held:<owner>    hash: cell → what that owner holds of it, to be given back when it dies
 *     <cell>          hash. Sliding: t (last sixtieth), s (sum), 0 to 60 (its last 61 sixtieths).
 *                     Calendar: p (start of the period), u (spent), h (held). Open: h
 *     seeded          there while budgets were brought over from the database
 *
 * Times are milliseconds since the Unix epoch, of Redis' own clock, so that gateways agree. Numbers go to Redis as
 * numbers and never through Lua's tostring, which keeps 14 digits only.
 */
export interface Script {
  readonly name: string;
  readonly source: string;
  readonly sha: string;
}

/**
 * KEYS: owners, ledger, cells. ARGV: owner, time, then for each cell its window (milliseconds, a period, or 0 for open),
 * the amount and the limit (-1: none). → the time, or [refused leg, used, retry after].
 */
export const RESERVE = script(
  'reserve',
  `${CLOCK}${PERIODS}${CELLS}${KNOWN_OWNER}
-- When as many sixtieths have left that the amount fits.
local function slideRetry(key, window, tick, rest, amount, limit)
  local fields = {}
  for each = tick - 60, tick do fields[#fields + 1] = each % 61 end
  for i, gone in ipairs(call('HMGET', key, unpack(fields))) do
    rest = rest - (tonumber(gone) or 0)
    if rest < limit and rest + amount <= limit then return math.ceil((tick + i) * window / 60 - now) end
  end
  return window
end
local ticks, first = {}, 3
for i = 3, #KEYS do
  local key, at = KEYS[i], first + (i - 3) * 3
  local window, amount, limit = ARGV[at], tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
  local ms = tonumber(window)
  local used, spent
  if ms == 0 then used = tonumber(call('HGET', key, 'h')) or 0
  elseif ms then used, ticks[i] = slide(key, ms)
  else
    local held
    spent, held = turn(key, window)
    used = spent + held
  end
  if limit >= 0 and (used >= limit or used + amount > limit) then
    -- What is held may come back at any time.
    local retry = 1000
    if not ms then
      if spent >= limit or spent + amount > limit then retry = periodEnd(window, periodStart(window, now)) - now end
    elseif ms > 0 then retry = slideRetry(key, ms, ticks[i], used, amount, limit) end
    return {i - 3, used, math.max(1000, retry)}
  end
end
for i = 3, #KEYS do
  local key, at = KEYS[i], first + (i - 3) * 3
  local amount = tonumber(ARGV[at + 1])
  if ticks[i] then
    if amount > 0 then
      call('HINCRBY', key, 's', amount)
      call('HINCRBY', key, ticks[i] % 61, amount)
    end
  else
    hold(KEYS[2], key, amount)
    if ARGV[at] == '0' then touchOpen(key) end
  end
end
return now`,
);

/** One cell, part of what is asked for if need be. ARGV: owner, time, window, asked, least, limit. → [granted, the time]. */
export const LEASE = script(
  'lease',
  `${CLOCK}${PERIODS}${CELLS}${KNOWN_OWNER}
local key, window, asked, least, limit = KEYS[3], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local ms = tonumber(window)
local used, tick
if ms then used, tick = slide(key, ms)
else
  local spent, held = turn(key, window)
  used = spent + held
end
local granted = math.min(asked, limit - used)
if granted < least or granted <= 0 then return {0, now} end
if ms then
  call('HINCRBY', key, 's', granted)
  call('HINCRBY', key, tick % 61, granted)
else hold(KEYS[2], key, granted) end
return {granted, now}`,
);

/**
 * KEYS: owners, ledger, cells. ARGV: owner, time, then for each cell its window, what was reserved, when it was taken
 * (0: not counted here), what was used, and when it ended. A sixtieth that has left takes nothing back; what was used
 * beyond the reservation counts in the present one.
 */
export const SETTLE = script(
  'settle',
  `${CLOCK}${PERIODS}${CELLS}
for i = 3, #KEYS do
  local key, at = KEYS[i], 3 + (i - 3) * 5
  local window, reserved, taken = ARGV[at], tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
  local actual, ended = tonumber(ARGV[at + 3]), tonumber(ARGV[at + 4])
  local ms = tonumber(window)
  if ms == 0 then release(KEYS[2], key, reserved)
  elseif not ms then
    release(KEYS[2], key, reserved)
    local _, _, start = turn(key, window)
    if actual > 0 and periodStart(window, math.min(ended, now)) >= start then call('HINCRBY', key, 'u', actual) end
  elseif taken > 0 then
    local sum, tick = slide(key, ms)
    local change, of = actual - reserved, math.min(tick, floor(taken * 60 / ms))
    if tick - of > 60 then
      of = tick
      if change < 0 then change = 0 end
    end
    -- A cell that was forgotten meanwhile has nothing to take back.
    local there = tonumber(call('HGET', key, of % 61)) or 0
    if there + change < 0 then change = -there end
    if change ~= 0 then
      call('HINCRBY', key, of % 61, change)
      call('HINCRBY', key, 's', change)
    end
  end
end
return 1`,
);

/** One cell, whatever its limit. ARGV: owner, time, window, more, when the reservation was taken. → what counts now. */
export const EXTEND = script(
  'extend',
  `${CLOCK}${PERIODS}${CELLS}${KNOWN_OWNER}
local key, window, more, taken = KEYS[3], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
local ms = tonumber(window)
if ms == 0 then
  hold(KEYS[2], key, more)
  return tonumber(call('HGET', key, 'h'))
elseif not ms then
  hold(KEYS[2], key, more)
  local spent, held = turn(key, window)
  return spent + held
end
local sum, tick = slide(key, ms)
local of = math.min(tick, floor(taken * 60 / ms))
if tick - of > 60 then of = tick end
call('HINCRBY', key, of % 61, more)
return call('HINCRBY', key, 's', more)`,
);

/** A new owner; ARGV[3] and on: owners before it, whose holds it takes over by its own HOLD. → [the time, seeded]. */
export const REGISTER = script(
  'register',
  `${CLOCK}${PERIODS}${CELLS}${SWEEP}
local seeded = call('EXISTS', 'sluice:seeded')
if seeded == 0 then return {now, 0} end
for i = 3, #ARGV do
  call('ZADD', KEYS[1], 0, ARGV[i])
  giveBack(ARGV[i])
end
sweep()
call('ZADD', KEYS[1], now + ${OWNER_LIFE_MS}, owner)
call('PEXPIRE', KEYS[1], ${LEDGER_LIFE_MS})
return {now, seeded}`,
);

/** What an owner held before Redis was away. ARGV: owner, time, then for each cell its window and the amount. */
export const HOLD = script(
  'hold',
  `${CLOCK}${PERIODS}${CELLS}${KNOWN_OWNER}
for i = 3, #KEYS do
  local at = 3 + (i - 3) * 2
  if ARGV[at] ~= '0' then turn(KEYS[i], ARGV[at]) end
  hold(KEYS[2], KEYS[i], tonumber(ARGV[at + 1]))
  if ARGV[at] == '0' then touchOpen(KEYS[i]) end
end
return 1`,
);

/** Still alive; gives back what others held that are not. */
export const BEAT = script(
  'beat',
  `${CLOCK}${PERIODS}${CELLS}${KNOWN_OWNER}${SWEEP}
call('ZADD', KEYS[1], now + ${OWNER_LIFE_MS}, owner)
sweep()
return now`,
);

/** An owner that holds nothing any more leaves. */
export const LEAVE = script(
  'leave',
  `${CLOCK}${PERIODS}${CELLS}${SWEEP}
giveBack(owner)
return 1`,
);

/**
 * KEYS: budgets' cells. ARGV: `all` where these are the last of all, the time, then for each cell its period, the start
 * of it and what the database says was spent. The greater one counts: Redis knows of what is not written yet, the
 * database of what Redis never heard.
 */
export const SEED = script(
  'seed',
  `${CLOCK}${PERIODS}${CELLS}
for i = 1, #KEYS do
  local at = 3 + (i - 1) * 3
  local spent, _, start = turn(KEYS[i], ARGV[at])
  local known = tonumber(ARGV[at + 2])
  if start == tonumber(ARGV[at + 1]) and known > spent then call('HSET', KEYS[i], 'u', known) end
end
if ARGV[1] == 'all' then call('SET', 'sluice:seeded', 1) end
return 1`,
);

/** → 1 while the budgets are there: Redis was not emptied since they were brought over. */
export const SEEDED = script('seeded', "return redis.call('EXISTS', 'sluice:seeded')");

export const SCRIPTS: readonly Script[] = [RESERVE, LEASE, SETTLE, EXTEND, REGISTER, HOLD, BEAT, LEAVE, SEED, SEEDED];

function script(name: string, source: string): Script {
  return { name, source, sha: createHash('sha1').update(source).digest('hex') };
}
