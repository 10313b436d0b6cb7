-- Checks, dedupes, numbers, appends and publishes one entry.  Errors are answers; running it twice does what once does.
-- KEYS meta stream dirty fin
-- ARGV 1 ticket  2 channel  3 replid  4 person  5 participant  6 device  7 n  8 hash of the body (4 bytes)  9 right  10 states
--      11 gen ('-': not a matter of the owner's)
--      12 audience  13 origin  14 head  15 body  16… fields of meta to set ('@at' is the entry's time)
-- -> {seq, prev, epoch, at} | {'dup', seq, event?} | {'missing'} (or not compared with SQL since Redis began a new history) | {'not_found'} | {'chat_closed'} | {'stale_gen'} | {'gap', last} | {'conflict'}
local meta, n = KEYS[1], tonumber(ARGV[7])
local window = 'w:' .. ARGV[5] .. ':' .. ARGV[6]
local m = redis.call('HMGET', meta, 'state', 'epoch', 'seq', 'pub', 'at', 'gen', 'owner', 'dirty', 'p:' .. ARGV[4], window, 'replid')
if m[11] ~= ARGV[3] then return {'missing'} end
local me = m[9]
if not me or string.sub(me, 1, #ARGV[5] + 1) ~= ARGV[5] .. ' ' then return {'not_found'} end
if not string.find(string.match(me, '[^\n]*') .. ' ', ' ' .. ARGV[9] .. ' ', 1, true) then return {'not_found'} end

local seen = window_look(m[10], n, ARGV[8])
if seen then return dup_answer(seen, KEYS[2]) end
if not string.find(ARGV[10], m[1], 1, true) then return {'chat_closed'} end
local owns = string.find(string.match(me, '[^\n]*') .. ' ', ' own ', 1, true)   -- is or was the owner: only as the one of now
if ARGV[11] ~= '-' and ((ARGV[11] ~= '' or owns) and ARGV[11] ~= m[6] or owns and m[7] ~= ARGV[5]) then return {'stale_gen'} end

local number, epoch, prev, at = m[3] + 1, tonumber(m[2]), tonumber(m[4]), entry_time(m[5])
local seq = string.format('%d', number)
local event = finish(ARGV[14], epoch, number, prev, at, ARGV[15])
redis.call('XADD', KEYS[2], seq .. '-0', 'd', event)
local set = {'seq', seq, 'at', string.format('%d', at), window, window_push(m[10], n, number, ARGV[8])}
if ARGV[12] == 'all' then set[7], set[8] = 'pub', seq end
local state = m[1]
for i = 16, #ARGV, 2 do
  set[#set + 1] = ARGV[i]
  set[#set + 1] = ARGV[i + 1] == '@at' and string.format('%d', at) or ARGV[i + 1]
  if ARGV[i] == 'state' then state = ARGV[i + 1] end
end
if m[8] ~= '1' then
  redis.call('ZADD', KEYS[3], 'NX', at, ARGV[1])
  set[#set + 1] = 'dirty'
  set[#set + 1] = '1'
end
redis.call('HSET', meta, unpack(set))
if state == 'closing' or state == 'closed' then   -- what comes after the end is sealed in a further segment
  redis.call('ZADD', KEYS[4], at, ARGV[1])
  redis.call('PERSIST', meta)
  redis.call('PERSIST', KEYS[2])
end
redis.call('PUBLISH', ARGV[2], 'E' .. ARGV[13] .. event)
return {number, prev, epoch, at}
