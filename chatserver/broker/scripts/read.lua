-- Moves a participant's read marker forward and tells the others.
-- KEYS meta dirty   ARGV ticket channel person participant seq origin event   -> 1 | 0 (not further, or not allowed)
local m = redis.call('HMGET', KEYS[1], 'seq', 'dirty', 'p:' .. ARGV[3], 'r:' .. ARGV[4])
local seq = tonumber(ARGV[5])
if not m[1] or not m[3] or string.sub(m[3], 1, #ARGV[4] + 1) ~= ARGV[4] .. ' ' then return 0 end
if seq > tonumber(m[1]) or seq <= tonumber(m[4] or 0) then return 0 end
redis.call('HSET', KEYS[1], 'r:' .. ARGV[4], ARGV[5], 'dirty', '1')
redis.call('HINCRBY', KEYS[1], 'rv', 1)
local t = redis.call('TIME')
redis.call('ZADD', KEYS[2], 'NX', t[1] * 1000 + math.floor(t[2] / 1000), ARGV[1])
redis.call('PERSIST', KEYS[1])
redis.call('SPUBLISH', ARGV[2], 'T' .. ARGV[6] .. ARGV[7])
return 1
