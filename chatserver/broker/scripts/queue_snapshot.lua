-- A topic of the routing slot as it is now.   KEYS list items ver   ARGV topic limit   (list: sorted set or set)
-- -> {version, count, [ticket, item, …]}
local version = tonumber(redis.call('HGET', KEYS[3], ARGV[1]) or 0)
local tickets, count
if redis.call('TYPE', KEYS[1]).ok == 'set' then
  tickets = redis.call('SMEMBERS', KEYS[1])
  count = #tickets
else
  tickets = redis.call('ZRANGE', KEYS[1], 0, ARGV[2] - 1)
  count = redis.call('ZCARD', KEYS[1])
end
local out = {}
for _, ticket in ipairs(tickets) do
  local item = redis.call('HGET', KEYS[2], ticket)
  if item then
    out[#out + 1] = ticket
    out[#out + 1] = item
  end
end
return {version, count, out}
