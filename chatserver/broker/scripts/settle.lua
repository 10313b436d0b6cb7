-- After the commit in SQL: the chats of one partition are durable up to these numbers.
-- KEYS dirty, then meta stream a chat
-- ARGV ticket channel epoch pseq rv event a chat   (rv: the read markers' version that was written)
for i = 0, #ARGV / 6 - 1 do
  local meta, stream = KEYS[2 + 2 * i], KEYS[3 + 2 * i]
  local ticket, channel, epoch, pseq, rv, event = unpack(ARGV, 1 + 6 * i, 6 + 6 * i)
  local m = redis.call('HMGET', meta, 'epoch', 'seq', 'pseq', 'rv', 'state')
  if m[1] == epoch and tonumber(pseq) >= tonumber(m[3]) then
    redis.call('HSET', meta, 'pseq', pseq)
    if tonumber(pseq) > 400 then redis.call('XTRIM', stream, 'MINID', '~', pseq - 200) end
    if m[2] == pseq and (m[4] or '0') == rv then
      redis.call('ZREM', KEYS[1], ticket)
      redis.call('HSET', meta, 'dirty', '0')
      if m[5] == 'closed' then
        redis.call('EXPIRE', meta, 900)
        redis.call('EXPIRE', stream, 900)
      end
    end
    if pseq ~= m[3] then redis.call('PUBLISH', channel, 'D\0\0\0\0\0\0\0\0' .. event) end
  elseif not m[1] then
    redis.call('ZREM', KEYS[1], ticket)
  end
end
return 1
