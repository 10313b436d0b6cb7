-- Checks, dedupes, numbers, appends and publishes one entry.  Errors are answers; running it twice does what once does.
-- KEYS meta stream dirty fin
-- ARGV 1 ticket  2 channel  3 replid  4 field of the person ('p:…')  5 participant  6 field of the device's window ('w:…')
--      7 the participant's line as the hub knows it, if it has found the right in it ('': look yourself)  8 'own': and that right, too
--      9 right  10 states  11 audience  12 kind and origin of what is published
--      13 gen ('-': not a matter of the owner's)  14 head  15 n  16 hash of the body (4 bytes)
--      17 what the hub takes Redis' clock to show  18 body  19… fields of meta to set ('@at' is the entry's time)
-- -> the event's numbers, as they stand in it | {'dup', seq, event?} | {'missing'} (or not compared with SQL since Redis began a new history) | {'not_found'} | {'chat_closed'} | {'stale_gen'} | {'gap', last} | {'conflict'}
local TRUSTED_MS = 10000   -- a hub's time is taken when it is not further than this from the chat's last entry
local meta, window, gen, n, hash = KEYS[1], ARGV[6], ARGV[13], tonumber(ARGV[15]), ARGV[16]
local m = redis.call('HMGET', meta, 'state', 'epoch', 'seq', 'pub', 'at', 'gen', 'owner', 'dirty', ARGV[4], window, 'replid')
if m[11] ~= ARGV[3] then return {'missing'} end
local me, owns = m[9], ARGV[8] == 'own'   -- owns: is or was the owner, so only as the one of now
if not me then return {'not_found'} end
if me ~= ARGV[7] then   -- 'participant role right right …', and the name in a line of its own
  local id, rights = string.match(me, '^(%S+)([^\n]*)\n')
  if id ~= ARGV[5] or not string.find(rights .. ' ', ' ' .. ARGV[9] .. ' ', 1, true) then return {'not_found'} end
  owns = string.find(rights .. ' ', ' own ', 1, true)
end

local seen = window_look(m[10], n, hash)
if seen then return dup_answer(seen, KEYS[2]) end
if not string.find(ARGV[10], m[1], 1, true) then return {'chat_closed'} end
if gen ~= '-' and ((gen ~= '' or owns) and gen ~= m[6] or owns and m[7] ~= ARGV[5]) then return {'stale_gen'} end

-- As text, too: Redis prints each number that it is given as a double, with 17 digits.
local at, time, given = tonumber(m[5]), m[5], tonumber(ARGV[17])
if given < at - TRUSTED_MS or given > at + TRUSTED_MS then
  at = entry_time(at)
  time = string.format('%d', at)
elseif given > at then
  at, time = given, ARGV[17]
end
local number, epoch, prev = m[3] + 1, tonumber(m[2]), tonumber(m[4])
local seq = string.format('%d', number)
local event, numbers = finish(ARGV[14], epoch, number, prev, at, ARGV[18])
redis.call('XADD', KEYS[2], seq .. '-0', 'd', event)
local pushed = window_push(m[10], n, number, hash)
if ARGV[11] == 'all' then
  redis.call('HSET', meta, 'seq', seq, 'at', time, window, pushed, 'pub', seq)
else
  redis.call('HSET', meta, 'seq', seq, 'at', time, window, pushed)
end
if m[8] ~= '1' then
  redis.call('ZADD', KEYS[3], 'NX', time, ARGV[1])
  redis.call('HSET', meta, 'dirty', '1')
end
local state = m[1]
for i = 19, #ARGV, 2 do
  redis.call('HSET', meta, ARGV[i], ARGV[i + 1] == '@at' and time or ARGV[i + 1])
  if ARGV[i] == 'state' then state = ARGV[i + 1] end
end
if state == 'closing' or state == 'closed' then   -- what comes after the end is sealed in a further segment
  redis.call('ZADD', KEYS[4], time, ARGV[1])
  redis.call('PERSIST', meta)
  redis.call('PERSIST', KEYS[2])
end
redis.call('SPUBLISH', ARGV[2], ARGV[12] .. event)
return numbers
