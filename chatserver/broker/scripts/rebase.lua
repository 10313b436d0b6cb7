-- Fills the keys of a chat again from what SQL says; only by who still holds the lock, and only where there is nothing.
-- KEYS meta stream lock todo fin   ARGV token ticket, then fields of meta   -> 1 | {'exists'} | {'lost'}
if redis.call('GET', KEYS[3]) ~= ARGV[1] then return {'lost'} end
if redis.call('EXISTS', KEYS[1]) == 1 then return {'exists'} end
redis.call('DEL', KEYS[2])
redis.call('HSET', KEYS[1], unpack(ARGV, 3))
local state = redis.call('HGET', KEYS[1], 'state')
if state == 'closed' then
  redis.call('EXPIRE', KEYS[1], 900)
elseif state == 'closing' then
  redis.call('ZADD', KEYS[5], 0, ARGV[2])
else
  redis.call('ZADD', KEYS[4], 0, ARGV[2])
end
redis.call('DEL', KEYS[3])
return 1
