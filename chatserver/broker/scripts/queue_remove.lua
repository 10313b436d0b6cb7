-- The chat has ended (or was never there): off the waiting list and out of the agent's hands.
-- KEYS wait items asg ver pend   ARGV 1 ticket  2 department's topic  3 its channel  4 head left  5 body left  6 head released  7 body released
-- -> 1
if redis.call('ZREM', KEYS[1], ARGV[1]) == 1 then
  local version = redis.call('HINCRBY', KEYS[4], ARGV[2], 1)
  redis.call('PUBLISH', ARGV[3], 'V\0\0\0\0\0\0\0\0' .. ARGV[4] .. '\167version\206' .. struct.pack('>I4', version) .. ARGV[5])
end
local held = redis.call('HGET', KEYS[3], ARGV[1])
local owner = held and string.match(held, '([^|]*)|')
if owner and owner ~= '' then
  local topic = 'agent:' .. owner
  redis.call('SREM', 'chat:{q}:mine:' .. owner, ARGV[1])
  local version = redis.call('HINCRBY', KEYS[4], topic, 1)
  redis.call('PUBLISH', 'chat:{q}:t:' .. topic,
    'V\0\0\0\0\0\0\0\0' .. ARGV[6] .. '\165topic' .. '\217' .. string.char(#topic) .. topic .. '\167version\206' .. struct.pack('>I4', version) .. ARGV[7])
end
redis.call('HDEL', KEYS[3], ARGV[1])
redis.call('HDEL', KEYS[2], ARGV[1])
redis.call('ZREM', KEYS[5], ARGV[1])
return 1
