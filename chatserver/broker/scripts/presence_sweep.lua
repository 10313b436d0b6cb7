-- Takes off the nodes whose lease is over, then finds the agents whose grace is.
-- KEYS nodes away   ARGV 1 grace ms  2 lease ms   -> {nodes taken off, [agent, …]}
local now, grace = now_ms(), tonumber(ARGV[1])
no_later(KEYS[1], now + ARGV[2])
no_later(KEYS[2], now + grace)
no_later(PEND, now + CONFIRM_MS)
local dead, nodes = redis.call('ZRANGE', KEYS[1], '-inf', string.format('%d', now), 'BYSCORE'), live_nodes(now)
for _, node in ipairs(dead) do
  redis.call('ZREM', KEYS[1], node)
  local key = node_key(node)
  for _, agent in ipairs(redis.call('HKEYS', key)) do
    if agent ~= '#' then
      begin_grace(agent, nodes, now + grace)
      redis.call('HDEL', key, agent)
    end
  end
  redis.call('PEXPIRE', key, 600000)   -- its late reports find the count
end
local due = {}
if #nodes > 0 then   -- otherwise nobody could have come back
  for _, agent in ipairs(redis.call('ZRANGE', KEYS[2], '-inf', string.format('%d', now), 'BYSCORE', 'LIMIT', 0, 100)) do
    if connected(agent, nodes) or redis.call('SCARD', 'chat:{q}:mine:' .. agent) == 0 then
      redis.call('ZREM', KEYS[2], agent)
    else
      due[#due + 1] = agent
    end
  end
end
return {#dead, due}
