-- SQL has less of a chat than the log was told (an old copy was restored): what the stream still has is written once more.
-- KEYS meta stream dirty   ARGV ticket  epoch  seq that SQL has  -> 1 | {'changed'} | {'hole', first number of the stream}
local m = redis.call('HMGET', KEYS[1], 'epoch', 'pseq', 'seq')
local recorded = tonumber(ARGV[3])
if m[1] ~= ARGV[2] or tonumber(m[2]) <= recorded then return {'changed'} end
local here = redis.call('XRANGE', KEYS[2], string.format('%d-0', recorded + 1), string.format('%d-0', recorded + 1))
if not here[1] then
  local first = redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', 1)
  return {'hole', first[1] and tonumber(string.match(first[1][1], '%d+')) or tonumber(m[3]) + 1}
end
redis.call('HSET', KEYS[1], 'pseq', ARGV[3], 'dirty', '1')
redis.call('ZADD', KEYS[3], 'NX', entry_time(0), ARGV[1])
redis.call('PERSIST', KEYS[1])
redis.call('PERSIST', KEYS[2])
return 1
