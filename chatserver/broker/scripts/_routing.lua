-- Shared by the scripts of the routing slot `{q}`; put in front of them when they are loaded.

local NODES, AWAY, ASG, ITEMS, PEND = 'chat:{q}:nodes', 'chat:{q}:away', 'chat:{q}:asg', 'chat:{q}:items', 'chat:{q}:pend'
local CONFIRM_MS = 5000   -- so long the other slot has time to follow; then the sweeper does it

local function ms(number)
  return string.format('%d', number)
end

-- ms UTC by Redis' clock
local function now_ms()
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end

-- Deadlines further ahead than any can be: the clock has jumped back since they were set. They count from now.
local function no_later(key, most)
  for _, one in ipairs(redis.call('ZRANGE', key, '(' .. ms(most), '+inf', 'BYSCORE')) do redis.call('ZADD', key, ms(most), one) end
end

-- -- nodes and agents

-- What a node (a web process) has said last: field '#' its count of reports, every other field an agent connected there.
local function node_key(node)
  return 'chat:{q}:node:' .. node
end

local function live_nodes(now)
  return redis.call('ZRANGE', NODES, '(' .. ms(now), '+inf', 'BYSCORE')
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
  if not connected(agent, nodes) then redis.call('ZADD', AWAY, 'NX', ms(until_ms), agent) end
end

-- -- topics

local function text(value)
  return '\218' .. struct.pack('>I2', #value) .. value
end

local function number(value)
  return '\207' .. struct.pack('>I8', value)
end

-- Publishes the next version of a topic: pairs of a field's name and its encoded value.
local function tell(topic, type, ...)
  local version = redis.call('HINCRBY', 'chat:{q}:ver', topic, 1)
  local event = { '\162op\165event\165topic', text(topic), '\167version\206', struct.pack('>I4', version), '\164type', text(type) }
  for i = 1, select('#', ...), 2 do
    event[#event + 1] = text((select(i, ...)))
    event[#event + 1] = (select(i + 1, ...))
  end
  redis.call('SPUBLISH', 'chat:{q}:t:' .. topic, 'V\0\0\0\0\0\0\0\0\222' .. struct.pack('>I2', 4 + select('#', ...) / 2) .. table.concat(event))
end

-- -- who has which chat

local function waiting_list(department)
  return 'chat:{q}:wait:' .. department
end

local function mine(agent)
  return 'chat:{q}:mine:' .. agent
end

-- Whose the chat is and the gen of that: '' and 0 if nobody ever had it; '' and a gen after a release.
local function holder(ticket)
  local held = redis.call('HGET', ASG, ticket)
  if not held then return '', 0 end
  local agent, gen = string.match(held, '([^|]*)|(%d+)')
  return agent, tonumber(gen)
end

local function item_of(ticket)
  return redis.call('HGET', ITEMS, ticket) or '\128'
end

local function into_hands(agent, ticket)
  if redis.call('SADD', mine(agent), ticket) == 1 then tell('agent:' .. agent, 'assigned', 'item', item_of(ticket)) end
end

local function out_of_hands(agent, ticket)
  if redis.call('SREM', mine(agent), ticket) == 1 then tell('agent:' .. agent, 'released', 'ticket', number(ticket)) end
end

-- Off the waiting list; whether it was on it.
local function unlist(department, ticket, ...)
  if redis.call('ZREM', waiting_list(department), ticket) == 0 then return false end
  tell('department:' .. department, 'left', 'ticket', number(ticket), ...)
  return true
end
