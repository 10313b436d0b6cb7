-- Gives the chat to the agent whom the routing slot has named; `gen` decides who is right.
-- KEYS meta stream dirty
-- ARGV 1 ticket  2 channel  3 replid  4 gen  5 person  6 participant  7 participant's line  8 device  9 n  10 hash  11 origin  12 head  13 body
-- -> {seq, prev, epoch, at} | {'dup', seq, event?} | {'missing'} | {'chat_closed'} | {'stale_gen'} | {'gap', last} | {'conflict'}
local meta, gen, n = KEYS[1], tonumber(ARGV[4]), tonumber(ARGV[9])
local window = 'w:' .. ARGV[6] .. ':' .. ARGV[8]
local m = redis.call('HMGET', meta, 'state', 'epoch', 'seq', 'pub', 'at', 'gen', 'owner', 'dirty', 'accepted_at', window, 'gseq', 'replid')
if m[12] ~= ARGV[3] then return {'missing'} end
local seen = window_look(m[10], n, ARGV[10])
if seen then return dup_answer(seen, KEYS[2]) end
if m[1] == 'closing' or m[1] == 'closed' then return {'chat_closed'} end
if gen == tonumber(m[6]) and m[7] == ARGV[6] then   -- theirs already, by another device or the sweeper: the command counts all the same
  redis.call('HSET', meta, window, window_push(m[10], n, tonumber(m[11] or 0), ARGV[10]))
  return dup_answer({'dup', tonumber(m[11] or 0)}, KEYS[2])
end
if gen <= tonumber(m[6]) then return {'stale_gen'} end

local number, epoch, prev, at = m[3] + 1, tonumber(m[2]), tonumber(m[4]), entry_time(m[5])
local seq, time = string.format('%d', number), string.format('%d', at)
local event = finish(ARGV[12], epoch, number, prev, at, ARGV[13])
redis.call('XADD', KEYS[2], seq .. '-0', 'd', event)
redis.call('HSET', meta, 'seq', seq, 'pub', seq, 'at', time, 'gen', ARGV[4], 'owner', ARGV[6], 'state', 'active', 'gseq', seq, 'dirty', '1',
  'accepted_at', m[9] or time, 'p:' .. ARGV[5], ARGV[7], window, window_push(m[10], n, number, ARGV[10]))
redis.call('ZADD', KEYS[3], 'NX', at, ARGV[1])
redis.call('SPUBLISH', ARGV[2], 'E' .. ARGV[11] .. event)
return {number, prev, epoch, at}
