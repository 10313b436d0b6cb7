-- Takes the chat from an agent who is lost, as the routing slot has decided; `gen` is the one it has counted for that.
-- KEYS meta stream dirty   ARGV 1 ticket  2 channel  3 replid  4 gen  5 owner's participant  6 origin  7 head  8 body
-- -> {seq, prev, epoch, at} | {'missing'} | {'stale_gen'} (done before, ended, or another's)
local meta, gen = KEYS[1], tonumber(ARGV[4])
local m = redis.call('HMGET', meta, 'state', 'epoch', 'seq', 'pub', 'at', 'gen', 'owner', 'replid')
if m[8] ~= ARGV[3] then return {'missing'} end
if m[1] ~= 'active' or m[7] ~= ARGV[5] or tonumber(m[6]) >= gen then return {'stale_gen'} end
local number, epoch, prev, at = m[3] + 1, tonumber(m[2]), tonumber(m[4]), entry_time(m[5])
local seq, time = string.format('%d', number), string.format('%d', at)
local event = finish(ARGV[7], epoch, number, prev, at, ARGV[8])
redis.call('XADD', KEYS[2], seq .. '-0', 'd', event)
redis.call('HSET', meta, 'seq', seq, 'pub', seq, 'at', time, 'gen', ARGV[4], 'owner', '', 'state', 'queued', 'dirty', '1')
redis.call('ZADD', KEYS[3], 'NX', at, ARGV[1])
redis.call('SPUBLISH', ARGV[2], 'E' .. ARGV[6] .. event)
return {number, prev, epoch, at}
