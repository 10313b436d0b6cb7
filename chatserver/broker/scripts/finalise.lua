-- The chat is sealed up to `seq`: it is closed, and its keys may go 15 minutes later, unless something came after.
-- KEYS meta stream fin   ARGV ticket epoch seq   -> 1 | 0 (not yet)
local m = redis.call('HMGET', KEYS[1], 'epoch', 'seq', 'state', 'dirty')
if not m[1] then
  redis.call('ZREM', KEYS[3], ARGV[1])
  return 1
end
if m[1] ~= ARGV[2] or m[2] ~= ARGV[3] or (m[3] ~= 'closing' and m[3] ~= 'closed') then return 0 end
redis.call('HSET', KEYS[1], 'state', 'closed')
redis.call('ZREM', KEYS[3], ARGV[1])
if m[4] ~= '1' then
  redis.call('EXPIRE', KEYS[1], 900)
  redis.call('EXPIRE', KEYS[2], 900)
end
return 1
