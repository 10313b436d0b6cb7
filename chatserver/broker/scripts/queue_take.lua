-- An agent takes a waiting chat: one of two agents wins.  The hand-over is pending until the chat's own slot confirms it.
-- KEYS asg   ARGV 1 ticket  2 department  3 agent  4 agent's name  5 gen known to the chat  6 grace ms
-- -> {gen} | {'already_assigned', agent} | {'not_found'}
local ticket, agent, now = ARGV[1], ARGV[3], now_ms()
local owner, gen = holder(ticket)
if owner == agent then return {gen} end
if owner ~= '' then return {'already_assigned', owner} end
if not unlist(ARGV[2], ticket, 'taken_by', text(ARGV[4])) then return {'not_found'} end
gen = math.max(gen, tonumber(ARGV[5])) + 1
redis.call('HSET', ASG, ticket, agent .. '|' .. gen)
redis.call('ZADD', PEND, ms(now + CONFIRM_MS), ticket)
into_hands(agent, ticket)
begin_grace(agent, live_nodes(now), now + ARGV[6])   -- their connection may have ended meanwhile
return {gen}
