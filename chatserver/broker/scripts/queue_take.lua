-- An agent takes a waiting chat: one of two agents wins.  The hand-over is pending until the chat's own slot confirms it.
-- KEYS wait items asg ver mine pend
-- ARGV 1 ticket  2 agent  3 gen known to the chat  4 department's topic  5 its channel  6 agent's topic  7 its channel  8 head left  9 body left
--      10 head assigned  11 body assigned (up to the item)
-- -> {gen} | {'already_assigned', agent} | {'not_found'}
local held = redis.call('HGET', KEYS[3], ARGV[1])
local owner, gen
if held then
  owner, gen = string.match(held, '([^|]*)|(%d+)')
  if owner == ARGV[2] then return {tonumber(gen)} end
  if owner ~= '' then return {'already_assigned', owner} end
end
if redis.call('ZREM', KEYS[1], ARGV[1]) == 0 then return {'not_found'} end
gen = math.max(tonumber(gen or 0), tonumber(ARGV[3])) + 1
redis.call('HSET', KEYS[3], ARGV[1], ARGV[2] .. '|' .. gen)
redis.call('SADD', KEYS[5], ARGV[1])
local t = redis.call('TIME')
redis.call('ZADD', KEYS[6], t[1] * 1000 + 5000, ARGV[1])
local version = redis.call('HINCRBY', KEYS[4], ARGV[4], 1)
redis.call('PUBLISH', ARGV[5], 'V\0\0\0\0\0\0\0\0' .. ARGV[8] .. '\167version\206' .. struct.pack('>I4', version) .. ARGV[9])
version = redis.call('HINCRBY', KEYS[4], ARGV[6], 1)
redis.call('PUBLISH', ARGV[7], 'V\0\0\0\0\0\0\0\0' .. ARGV[10] .. '\167version\206' .. struct.pack('>I4', version) .. ARGV[11]
  .. (redis.call('HGET', KEYS[2], ARGV[1]) or '\128'))
return {gen}
