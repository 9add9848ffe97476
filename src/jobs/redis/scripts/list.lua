-- ARGV: queue, state, most. Returns the ids.
local queue, state, last = ARGV[1], ARGV[2], ARGV[3] - 1
if state == 'waiting' then return redis.call('ZRANGE', p .. 'ready:' .. queue, 0, last) end
if state == 'delayed' then return redis.call('ZRANGE', p .. 'later:' .. queue, 0, last) end
if state == 'dead' then return redis.call('ZRANGE', p .. 'dead:' .. queue, 0, last) end
return redis.call('SRANDMEMBER', p .. 'running:' .. queue, ARGV[3])
