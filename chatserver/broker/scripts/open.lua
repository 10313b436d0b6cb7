-- Begins a chat: `opened` and the first message in one step.  The same ticket again changes nothing.
-- KEYS meta stream dirty todo
-- ARGV 1 ticket  2 channel  3 create  4 epoch  5 person  6 participant  7 participant's line  8 device  9 hash of the message
--      10 origin  11 head of opened  12 its body  13 head of the message  14 its body  15… fields of meta
-- -> {at} | {'exists'} | {'missing'} (create is 0) | {'not_found'} (another person's)
local meta = KEYS[1]
local old = redis.call('HMGET', meta, 'epoch', 'p:' .. ARGV[5])
if old[1] then return {old[2] and 'exists' or 'not_found'} end
if ARGV[3] == '0' then return {'missing'} end
local at, epoch = entry_time(0), tonumber(ARGV[4])
local time = string.format('%d', at)
local opened = finish(ARGV[11], epoch, 1, 0, at, ARGV[12])
local message = finish(ARGV[13], epoch, 2, 1, at, ARGV[14])
redis.call('DEL', KEYS[2])
redis.call('XADD', KEYS[2], '1-0', 'd', opened)
redis.call('XADD', KEYS[2], '2-0', 'd', message)
redis.call('HSET', meta, 'state', 'queued', 'epoch', ARGV[4], 'seq', '2', 'pub', '2', 'at', time, 'gen', '0', 'owner', '', 'pseq', '0',
  'dirty', '1', 'opened_at', time, 'p:' .. ARGV[5], ARGV[7], 'w:' .. ARGV[6] .. ':' .. ARGV[8], window_push(nil, 1, 2, ARGV[9]),
  unpack(ARGV, 15))
redis.call('ZADD', KEYS[3], 'NX', at, ARGV[1])
redis.call('ZADD', KEYS[4], at, ARGV[1])
redis.call('SPUBLISH', ARGV[2], 'E' .. ARGV[10] .. opened)
redis.call('SPUBLISH', ARGV[2], 'E' .. ARGV[10] .. message)
return {at}
