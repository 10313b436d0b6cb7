-- Shared by the scripts of the routing slot `{q}`; put in front of them when they are loaded.

local NODES, AWAY = 'chat:{q}:nodes', 'chat:{q}:away'

-- ms UTC by Redis' clock
local function now_ms()
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end

-- What a node (a web process) has said last: field '#' its count of reports, every other field an agent connected there.
local function node_key(node)
  return 'chat:{q}:node:' .. node
end

local function live_nodes(now)
  return redis.call('ZRANGE', NODES, '(' .. string.format('%d', now), '+inf', 'BYSCORE')
end

-- Whether some live node has the agent.
local function connected(agent, nodes)
  for _, node in ipairs(nodes) do
    if redis.call('HEXISTS', node_key(node), agent) == 1 then return true end
  end
  return false
end

-- The agent's grace begins, unless it runs or they are connected somewhere.
local function begin_grace(agent, nodes, until_ms)
  if not connected(agent, nodes) then redis.call('ZADD', AWAY, 'NX', string.format('%d', until_ms), agent) end
end
