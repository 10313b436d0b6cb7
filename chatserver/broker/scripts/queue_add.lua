-- Puts a chat on the waiting list of its department.  Again: nothing happens.
-- KEYS wait items asg ver   ARGV ticket since item topic channel head body   -> 1 | 0
if redis.call('HEXISTS', KEYS[3], ARGV[1]) == 1 then return 0 end
if redis.call('ZADD', KEYS[1], 'NX', ARGV[2], ARGV[1]) == 0 then return 0 end
redis.call('HSET', KEYS[2], ARGV[1], ARGV[3])
local version = redis.call('HINCRBY', KEYS[4], ARGV[4], 1)
redis.call('PUBLISH', ARGV[5], 'V\0\0\0\0\0\0\0\0' .. ARGV[6] .. '\167version\206' .. struct.pack('>I4', version) .. ARGV[7])
return 1
