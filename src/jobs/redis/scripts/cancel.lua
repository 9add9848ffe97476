-- ARGV: id. Returns 1, or 0 when it does not wait.
local id = ARGV[1]
local job = redis.call('HMGET', job_key(id), 'state', 'queue', 'key')
if job[1] ~= 'waiting' and job[1] ~= 'delayed' then return 0 end
redis.call('ZREM', p .. 'ready:' .. job[2], id)
redis.call('ZREM', p .. 'later:' .. job[2], id)
if job[3] ~= '' then redis.call('HDEL', p .. 'keys:' .. job[2], job[3]) end
forget_payload(id, 'cancelled', clock())
return 1
