-- Makes a member of staff a participant with few rights, so that they can leave a note.  Somebody who is in already stays as they are.
-- KEYS meta   ARGV person line   -> 1 | {'missing'}
if redis.call('EXISTS', KEYS[1]) == 0 then return {'missing'} end
redis.call('HSETNX', KEYS[1], 'p:' .. ARGV[1], ARGV[2])
return 1
