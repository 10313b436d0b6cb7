-- Gives the chat to the agent whom the routing slot has named; `gen` decides who is right.
-- KEYS meta stream dirty
-- ARGV 1 ticket  2 channel  3 gen  4 person  5 participant  6 participant's line  7 device  8 n  9 hash  10 origin  11 head  12 body
-- -> {seq, prev, epoch, at} | {'dup', seq, event?} | {'missing'} | {'chat_closed'} | {'stale_gen'} | {'gap', last} | {'conflict'}
local meta, gen, n = KEYS[1], tonumber(ARGV[3]), tonumber(ARGV[8])
local window = 'w:' .. ARGV[5] .. ':' .. ARGV[7]
local m = redis.call('HMGET', meta, 'state', 'epoch', 'seq', 'pub', 'at', 'gen', 'owner', 'dirty', 'accepted_at', window, 'gseq')
if not m[2] then return {'missing'} end
local seen = window_look(m[10], n, ARGV[9])
if seen then return dup_answer(seen, KEYS[2]) end
if m[1] == 'closing' or m[1] == 'closed' then return {'chat_closed'} end
if gen == tonumber(m[6]) and m[7] == ARGV[5] then   -- theirs already, by another device or the sweeper: the command counts all the same
  redis.call('HSET', meta, window, window_push(m[10], n, tonumber(m[11] or 0), ARGV[9]))
  return dup_answer({'dup', tonumber(m[11] or 0)}, KEYS[2])
end
if gen <= tonumber(m[6]) then return {'stale_gen'} end

local number, epoch, prev, at = m[3] + 1, tonumber(m[2]), tonumber(m[4]), entry_time(m[5])
local seq, time = string.format('%d', number), string.format('%d', at)
local event = finish(ARGV[11], epoch, number, prev, at, ARGV[12])
redis.call('XADD', KEYS[2], seq .. '-0', 'd', event)
redis.call('HSET', meta, 'seq', seq, 'pub', seq, 'at', time, 'gen', ARGV[3], 'owner', ARGV[5], 'state', 'active', 'gseq', seq, 'dirty', '1',
  'accepted_at', m[9] or time, 'p:' .. ARGV[4], ARGV[6], window, window_push(m[10], n, number, ARGV[9]))
redis.call('ZADD', KEYS[3], 'NX', at, ARGV[1])
redis.call('PUBLISH', ARGV[2], 'E' .. ARGV[10] .. event)
return {number, prev, epoch, at}
