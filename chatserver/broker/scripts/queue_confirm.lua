-- The chat's own slot knows its owner.
-- KEYS asg   ARGV 1 ticket  2 agent  3 gen   -> 1 | 0 (another step was begun meanwhile)
local owner, gen = holder(ARGV[1])
if owner ~= ARGV[2] or gen ~= tonumber(ARGV[3]) then return 0 end
redis.call('ZREM', PEND, ARGV[1])
return 1
