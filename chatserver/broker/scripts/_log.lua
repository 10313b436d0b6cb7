-- Shared by the scripts that write to a chat's log; put in front of them when they are loaded.

-- ms UTC by Redis' clock, never less than the chat's last entry
local function entry_time(last)
  local t = redis.call('TIME')
  return math.max(t[1] * 1000 + math.floor(t[2] / 1000), tonumber(last or 0))
end

-- The event as every MessagePack client gets it: the hub's head (map header and op), our numbers, the hub's body.
local function finish(head, epoch, seq, prev, at, body)
  local numbers = struct.pack('>c7I4c5I4c6I4c4I8', '\165epoch\206', epoch, '\163seq\206', seq, '\164prev\206', prev, '\162at\207', at)
  return head .. numbers .. body, numbers
end

-- A device's window: its last n, then (seq, hash of the body) of its last 16 commands, newest first.
local function window_look(win, n, hash)
  local last = 0
  if win then last = struct.unpack('>I4', win) end
  if n > last then
    if n == last + 1 then return nil end
    return {'gap', last}
  end
  local at = 5 + (last - n) * 8
  if at > #win then return {'dup', 0} end
  if string.sub(win, at + 4, at + 7) ~= hash then return {'conflict', last} end
  return {'dup', (struct.unpack('>I4', win, at))}
end

local function window_push(win, n, seq, hash)
  return struct.pack('>I4I4', n, seq) .. hash .. string.sub(win or '', 5, 124)
end

-- The answer for a command that was executed before: its entry, so that the ack can be given again.
local function dup_answer(answer, stream)
  if answer[1] == 'dup' and answer[2] > 0 then
    local found = redis.call('XRANGE', stream, answer[2] .. '-0', answer[2] .. '-0')
    if found[1] then return {'dup', answer[2], found[1][2][2]} end
  end
  return answer
end
