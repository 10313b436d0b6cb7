-- Takes the chat from an agent who is lost, as the routing slot has decided; `gen` is the one it has counted for that.
-- KEYS meta stream dirty   ARGV 1 ticket  2 channel  3 gen  4 owner's participant  5 origin  6 head  7 body
-- -> {seq, prev, epoch, at} | {'missing'} | {'stale_gen'} (done before, ended, or another's)
local meta, gen = KEYS[1], tonumber(ARGV[3])
local m = redis.call('HMGET', meta, 'state', 'epoch', 'seq', 'pub', 'at', 'gen', 'owner')
if not m[2] then return {'missing'} end
if m[1] ~= 'active' or m[7] ~= ARGV[4] or tonumber(m[6]) >= gen then return {'stale_gen'} end
local number, epoch, prev, at = m[3] + 1, tonumber(m[2]), tonumber(m[4]), entry_time(m[5])
local seq, time = string.format('%d', number), string.format('%d', at)
local event = finish(ARGV[6], epoch, number, prev, at, ARGV[7])
redis.call('XADD', KEYS[2], seq .. '-0', 'd', event)
redis.call('HSET', meta, 'seq', seq, 'pub', seq, 'at', time, 'gen', ARGV[3], 'owner', '', 'state', 'queued', 'dirty', '1')
redis.call('ZADD', KEYS[3], 'NX', at, ARGV[1])
redis.call('PUBLISH', ARGV[2], 'E' .. ARGV[5] .. event)
return {number, prev, epoch, at}
