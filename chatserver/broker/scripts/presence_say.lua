-- A node renews its lease and says which agents are connected to it, all of them. A late report of the same node changes nothing.
-- KEYS nodes away   ARGV 1 node  2 count of reports  3 lease ms (0: it leaves)  4 grace ms  5… agents   -> 1 | 0 (it was not known)
local node, lease, grace = ARGV[1], tonumber(ARGV[3]), tonumber(ARGV[4])
local key, now = node_key(node), now_ms()
local before = redis.call('HGETALL', key)
local known, gone = redis.call('ZSCORE', KEYS[1], node), {}
for i = 1, #before, 2 do
  if before[i] ~= '#' then
    gone[before[i]] = true
  elseif tonumber(before[i + 1]) >= tonumber(ARGV[2]) then
    return 1
  end
end
local nodes = live_nodes(now)
if lease > 0 then
  if #nodes == 0 then   -- while no node lived nobody could come back: what is left of a grace counts from here
    for _, agent in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do redis.call('ZADD', KEYS[2], 'GT', string.format('%d', now + grace), agent) end
  end
  redis.call('ZADD', KEYS[1], string.format('%d', now + lease), node)
else
  redis.call('ZREM', KEYS[1], node)
end
redis.call('DEL', key)
redis.call('HSET', key, '#', ARGV[2])
for i = 5, #ARGV do
  redis.call('HSET', key, ARGV[i], 1)
  redis.call('ZREM', KEYS[2], ARGV[i])
  gone[ARGV[i]] = nil
end
if lease == 0 then redis.call('PEXPIRE', key, 600000) end   -- its late reports find the count
nodes = live_nodes(now)
for agent in pairs(gone) do begin_grace(agent, nodes, now + grace) end
return known and 1 or 0
