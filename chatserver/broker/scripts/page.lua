-- What a position lacks.  Reads only, so it may be asked again.
-- KEYS meta stream   ARGV epoch ('' for none)  seq  entry_id ('' only from our own refill)  limit
-- -> {'missing'} | {'ok' | 'reset' | 'trimmed', meta as a flat list, [event, …]}   trimmed: the position's entry is not in the stream any more
local meta = redis.call('HGETALL', KEYS[1])
if #meta == 0 then return {'missing'} end
local m = redis.call('HMGET', KEYS[1], 'epoch', 'seq')
local from, answer = tonumber(ARGV[2]), 'ok'
if from > 0 then
  if m[1] ~= ARGV[1] or from > tonumber(m[2]) then
    answer, from = 'reset', 0
  else
    local here = redis.call('XRANGE', KEYS[2], from .. '-0', from .. '-0')
    if not here[1] then
      answer = 'trimmed'
    elseif ARGV[3] ~= '' and string.sub(here[1][2][2], 66, 101) ~= ARGV[3] then   -- where the layout puts entry_id (broker/event.py)
      answer, from = 'reset', 0
    end
  end
end
local events = {}
for i, found in ipairs(redis.call('XRANGE', KEYS[2], (from + 1) .. '-0', '+', 'COUNT', ARGV[4])) do events[i] = found[2][2] end
return {answer, meta, events}
