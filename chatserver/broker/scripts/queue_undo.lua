-- A hand-over that cannot be confirmed: its agent does not exist any more. The gen stays used.
-- KEYS asg   ARGV 1 ticket  2 agent  3 gen   -> 1 | 0 (another step was begun meanwhile)
local owner, gen = holder(ARGV[1])
if owner ~= ARGV[2] or gen ~= tonumber(ARGV[3]) then return 0 end
redis.call('HSET', ASG, ARGV[1], '|' .. gen)
out_of_hands(owner, ARGV[1])
return 1
