-- An agent whose grace is over loses their chats. Each is pending until the chat's own slot knows, then it is listed again.
-- KEYS asg   ARGV 1 agent  2 how many at most   -> {ticket, gen, ticket, gen, …} (empty: they are back)
local agent, now = ARGV[1], now_ms()
local ends, nodes = redis.call('ZSCORE', AWAY, agent), live_nodes(now)
if not ends or tonumber(ends) > now or #nodes == 0 or connected(agent, nodes) then return {} end
local released = {}
for _, ticket in ipairs(redis.call('SMEMBERS', mine(agent))) do
  if #released == 2 * ARGV[2] then break end
  local owner, gen = holder(ticket)
  if owner ~= agent then
    out_of_hands(agent, ticket)
  elseif not redis.call('ZSCORE', PEND, ticket) then   -- a hand-over is confirmed first, so that the chat's log tells it in order
    redis.call('HSET', ASG, ticket, '|' .. gen + 1)
    redis.call('ZADD', PEND, ms(now + CONFIRM_MS), ticket)
    out_of_hands(agent, ticket)
    released[#released + 1] = ticket
    released[#released + 1] = gen + 1
  end
end
return released
