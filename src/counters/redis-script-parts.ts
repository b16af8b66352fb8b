/*
 * What the scripts of redis-scripts.ts are put together from: Lua, in the order of these constants. `now`, `owner` and
 * `call` are known to all of them; KEYS[1] is the set of owners, KEYS[2] the ledger of the one that asks.
 */

/** How long an owner counts as alive after its last beat. */
export const OWNER_LIFE_MS = 10_000;
/** A ledger must outlive the longest period that may still hold what is written in it. */
export const LEDGER_LIFE_MS = 100 * 86_400_000;
/**
 * The cells that one beat gives back for one dead owner: a step of a script must stay short for all who wait behind
 * it.
 */
const SWEPT_CELLS = 500;

/** ARGV[1]: the owner; ARGV[2]: the time, 0 for that of Redis. */
export const CLOCK = `
local owner, now = ARGV[1], tonumber(ARGV[2])
if now == 0 then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end
`;

/**
 * The same as counters/periods.ts. The days of a calendar as in "chrono-Compatible Low-Level Date Algorithms" (Hinnant):
 * years that begin in March, so that a leap day is the last of its year.
 */
export const PERIODS = `
local floor, DAY = math.floor, 86400000
local function monthOf(day)
  local z = day + 719468
  local era = floor(z / 146097)
  local inEra = z - era * 146097
  local year = floor((inEra - floor(inEra / 1460) + floor(inEra / 36524) - floor(inEra / 146096)) / 365)
  local inYear = inEra - (365 * year + floor(year / 4) - floor(year / 100))
  local march = floor((5 * inYear + 2) / 153)
  year = year + era * 400
  if march < 10 then return year, march + 3 end
  return year + 1, march - 9
end
local function firstOf(year, month)
  if month < 3 then year = year - 1 end
  local era = floor(year / 400)
  local inEra = year - era * 400
  local march = month > 2 and month - 3 or month + 9
  local day = floor((153 * march + 2) / 5)
  return (era * 146097 + inEra * 365 + floor(inEra / 4) - floor(inEra / 100) + day - 719468) * DAY
end
local function periodStart(period, at)
  local day = floor(at / DAY)
  if period == 'day' then return day * DAY end
  if period == 'week' then return (floor((day + 3) / 7) * 7 - 3) * DAY end
  local year, month = monthOf(day)
  if period == 'quarter' then month = month - (month - 1) % 3 end
  return firstOf(year, month)
end
local function periodEnd(period, start)
  if period == 'day' then return start + DAY end
  if period == 'week' then return start + 7 * DAY end
  local year, month = monthOf(start / DAY)
  month = month + (period == 'month' and 1 or 3)
  if month > 12 then return firstOf(year + 1, month - 12) end
  return firstOf(year, month)
end
`;

/** Each cell brought to the present; then what counts in it. */
export const CELLS = `
local call = redis.call
-- → sum, sixtieth. A clock set back keeps the window where it was; further than that, the window begins anew.
local function slide(key, window)
  local tick = floor(now * 60 / window)
  local state = call('HMGET', key, 't', 's')
  local last, sum = tonumber(state[1]), tonumber(state[2])
  if last == tick then return sum, tick end
  if last and last > tick and last - tick <= 60 then return sum, last end
  if not last or last > tick or tick - last > 60 then
    call('DEL', key)
    sum = 0
  else
    local stale = {}
    for each = last + 1, tick do stale[#stale + 1] = each % 61 end
    for _, amount in ipairs(call('HMGET', key, unpack(stale))) do sum = sum - (tonumber(amount) or 0) end
    call('HDEL', key, unpack(stale))
  end
  call('HSET', key, 't', tick, 's', sum)
  call('PEXPIRE', key, floor(window * 62 / 60) + 1000)
  return sum, tick
end
-- → spent, held, start of the period
local function turn(key, period)
  local start = periodStart(period, now)
  local state = call('HMGET', key, 'p', 'u', 'h')
  local last, held = tonumber(state[1]), tonumber(state[3]) or 0
  if last and last >= start and last - now <= 60000 then return tonumber(state[2]), held, last end
  -- A clock that was set to tomorrow and is set right again: what was charged under the wrong date was spent today.
  local spent = last and last > start and tonumber(state[2]) or 0
  call('HSET', key, 'p', start, 'u', spent, 'h', held)
  call('PEXPIREAT', key, periodEnd(period, start) + DAY)
  return spent, held, start
end
local function hold(ledger, key, amount)
  if amount == 0 then return end
  call('HINCRBY', key, 'h', amount)
  if call('HINCRBY', ledger, key, amount) == amount then call('PEXPIRE', ledger, ${LEDGER_LIFE_MS}) end
end
-- Never more than this owner holds: what was given back for it while it was taken for dead is not given back twice.
local function release(ledger, key, amount)
  local mine = tonumber(call('HGET', ledger, key)) or 0
  if amount > mine then amount = mine end
  if amount == 0 then return end
  if amount == mine then call('HDEL', ledger, key) else call('HINCRBY', ledger, key, -amount) end
  local held = (tonumber(call('HGET', key, 'h')) or 0) - amount
  if held > 0 then call('HSET', key, 'h', held)
  elseif call('HEXISTS', key, 'p') == 1 then call('HSET', key, 'h', 0)
  else call('DEL', key) end
end
local function touchOpen(key) call('PEXPIRE', key, DAY) end
`;

export const SWEEP = `
local function giveBack(dead)
  local ledger = 'sluice:held:' .. dead
  local cells = call('HSCAN', ledger, 0, 'COUNT', ${SWEPT_CELLS})[2]
  for i = 1, #cells, 2 do release(ledger, cells[i], tonumber(cells[i + 1])) end
  if call('EXISTS', ledger) == 0 then call('ZREM', KEYS[1], dead) end
end
local function sweep()
  for _, dead in ipairs(call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, 4)) do giveBack(dead) end
end
`;

/** A command that was sent by an owner that is given up must not hold anything any more, however late it is run. */
export const KNOWN_OWNER = `
if not call('ZSCORE', KEYS[1], owner) then return redis.error_reply('UNKNOWNOWNER it was taken for dead') end
`;
