-- Where a chat stands, and back onto the work lists that it should be on.  In order: nothing happens.
-- KEYS meta dirty fin todo   ARGV ticket  route (1: the routing slot is to look at it, too)
-- -> {epoch, seq, pseq} | {} (no such chat)
local m = redis.call('HMGET', KEYS[1], 'epoch', 'seq', 'pseq', 'dirty', 'state')
if not m[1] then return {} end
if (m[4] == '1' or tonumber(m[2]) > tonumber(m[3])) and not redis.call('ZSCORE', KEYS[2], ARGV[1]) then
  redis.call('HSET', KEYS[1], 'dirty', '1')
  redis.call('ZADD', KEYS[2], entry_time(0), ARGV[1])
  redis.call('PERSIST', KEYS[1])
end
if m[5] == 'closing' or m[5] == 'closed' then
  if redis.call('TTL', KEYS[1]) < 0 then redis.call('ZADD', KEYS[3], 'NX', 0, ARGV[1]) end
elseif ARGV[2] == '1' then
  redis.call('ZADD', KEYS[4], 'NX', 0, ARGV[1])
end
return {tonumber(m[1]), tonumber(m[2]), tonumber(m[3])}
