-- Puts a chat's rebuilt log in the place of one that contradicts SQL; only while nothing has happened to the old one meanwhile.
-- KEYS meta stream lock dirty todo fin   ARGV 1 token  2 ticket  3 channel  4 old epoch  5 old seq  6 number of events
--      7… pairs of number and event, then fields of the new meta
-- -> 1 | {'lost'} | {'changed'}
if redis.call('GET', KEYS[3]) ~= ARGV[1] then return {'lost'} end
local m = redis.call('HMGET', KEYS[1], 'epoch', 'seq')
if m[1] ~= ARGV[4] or m[2] ~= ARGV[5] then return {'changed'} end
redis.call('DEL', KEYS[1], KEYS[2])
local at = 7 + 2 * tonumber(ARGV[6])
for i = 7, at - 1, 2 do redis.call('XADD', KEYS[2], ARGV[i] .. '-0', 'd', ARGV[i + 1]) end
redis.call('HSET', KEYS[1], unpack(ARGV, at))
local state = redis.call('HGET', KEYS[1], 'state')
redis.call('ZADD', KEYS[4], 'NX', entry_time(0), ARGV[2])
if state == 'closing' or state == 'closed' then
  redis.call('ZADD', KEYS[6], 0, ARGV[2])
else
  redis.call('ZADD', KEYS[5], 0, ARGV[2])
end
redis.call('DEL', KEYS[3])
redis.call('SPUBLISH', ARGV[3], 'R\0\0\0\0\0\0\0\0')
return 1
