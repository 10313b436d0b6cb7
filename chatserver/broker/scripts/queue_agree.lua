-- Makes the routing slot agree with what the chat's own slot says; the newer gen wins. Again: nothing happens.
-- Where the routing slot is ahead, a step between the two was begun: it stays, and is pending.
-- KEYS asg
-- ARGV 1 ticket  2 department  3 state (queued | active | ended)  4 gen  5 its owner  6 since  7 item  8 grace ms  9… agents found with it by mistake
-- -> 1 | 0 (ahead)
local ticket, department, state, gen, agent, now = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5], now_ms()
local owner, held = holder(ticket)
for i = 9, #ARGV do
  if ARGV[i] ~= owner then out_of_hands(ARGV[i], ticket) end
end
if state == 'ended' then
  unlist(department, ticket)
  if owner ~= '' then out_of_hands(owner, ticket) end
  redis.call('HDEL', ASG, ticket)
  redis.call('HDEL', ITEMS, ticket)
  redis.call('ZREM', PEND, ticket)
  return 1
end
if held > gen and (owner ~= '' or state == 'active') then
  redis.call('ZADD', PEND, 'NX', ms(now + CONFIRM_MS), ticket)
  return 0
end
redis.call('HSETNX', ITEMS, ticket, ARGV[7])
if owner ~= '' and owner ~= agent then out_of_hands(owner, ticket) end
if state == 'queued' then
  gen = math.max(held, gen)
  if gen > 0 then redis.call('HSET', ASG, ticket, '|' .. gen) end
  if redis.call('ZADD', waiting_list(department), 'NX', ARGV[6], ticket) == 1 then
    tell('department:' .. department, 'queued', 'item', item_of(ticket))
  end
else
  unlist(department, ticket)
  redis.call('HSET', ASG, ticket, agent .. '|' .. gen)
  into_hands(agent, ticket)
  begin_grace(agent, live_nodes(now), now + ARGV[8])
end
redis.call('ZREM', PEND, ticket)
return 1
