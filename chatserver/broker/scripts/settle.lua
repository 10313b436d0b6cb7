-- After the commit in SQL: the chats of one partition are durable up to these numbers.
-- KEYS dirty, then meta stream a chat
-- ARGV ticket channel epoch pseq entry_id rv event a chat   (entry_id: what SQL has under pseq, '' when nothing new was written;
--      rv: the read markers' version that was written)
for i = 0, #ARGV / 7 - 1 do
  local meta, stream = KEYS[2 + 2 * i], KEYS[3 + 2 * i]
  local ticket, channel, epoch, pseq, id, rv, event = unpack(ARGV, 1 + 7 * i, 7 + 7 * i)
  local m = redis.call('HMGET', meta, 'epoch', 'seq', 'pseq', 'rv', 'state')
  local same = m[1] == epoch and (pseq == m[3] or id ~= '' and tonumber(pseq) > tonumber(m[3]))
  if same and pseq ~= m[3] then   -- Redis may have been restarted with an older log while SQL was writing
    local here = redis.call('XRANGE', stream, pseq .. '-0', pseq .. '-0')
    same = here[1] and string.sub(here[1][2][2], 66, 101) == id   -- where the layout puts entry_id (broker/event.py)
  end
  if same then
    redis.call('HSET', meta, 'pseq', pseq)
    if tonumber(pseq) > 400 then redis.call('XTRIM', stream, 'MINID', '~', pseq - 200) end
    if m[2] == pseq and (m[4] or '0') == rv then
      redis.call('ZREM', KEYS[1], ticket)
      redis.call('HSET', meta, 'dirty', '0')
      if m[5] == 'closed' then
        redis.call('EXPIRE', meta, 900)
        redis.call('EXPIRE', stream, 900)
      end
    elseif pseq ~= m[3] then   -- the rest is newer
      redis.call('ZADD', KEYS[1], 'XX', entry_time(0), ticket)
    end
    if pseq ~= m[3] then redis.call('SPUBLISH', channel, 'D\0\0\0\0\0\0\0\0' .. event) end
  elseif not m[1] then
    redis.call('ZREM', KEYS[1], ticket)
  end
end
return 1
