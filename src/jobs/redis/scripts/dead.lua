-- ARGV: revive or drop, queue or '', id or '', most. Of dead letters; returns how many.
local queue, ids = ARGV[2], { ARGV[3] }
if queue == '' then
  local job = redis.call('HMGET', job_key(ARGV[3]), 'state', 'queue')
  if job[1] ~= 'dead' then return 0 end
  queue = job[2]
else
  ids = redis.call('ZRANGE', p .. 'dead:' .. queue, 0, ARGV[4] - 1)
end
local now = clock()
for _, id in ipairs(ids) do
  redis.call('ZREM', p .. 'dead:' .. queue, id)
  if ARGV[1] == 'drop' then
    redis.call('DEL', job_key(id))
  else
    redis.call('HSET', job_key(id), 'attempts', 0, 'ended', 0)
    enqueue(id, queue, 0, now)
  end
end
if ARGV[1] == 'revive' then tell(queue) end
return #ids
