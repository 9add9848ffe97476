-- ARGV: id, receipt, what became of it (done, again, dead), result or error, wait in ms, 1 to take back the
-- attempt. Returns 1, or 0 when the receipt is not the job's any more.
local id, receipt, outcome = ARGV[1], ARGV[2], ARGV[3]
local job = redis.call('HMGET', job_key(id), 'receipt', 'state', 'queue', 'holder')
if job[1] ~= receipt or (job[2] ~= 'running' and job[2] ~= 'waiting') then return 0 end
local queue = job[3]
let_go(id, queue, job[4])
redis.call('ZREM', p .. 'ready:' .. queue, id)
redis.call('HSET', job_key(id), 'receipt', '')
local now = clock()
if outcome == 'done' then
  redis.call('HSET', job_key(id), 'result', ARGV[4])
  forget_payload(id, 'done', now)
elseif outcome == 'dead' then
  redis.call('HSET', job_key(id), 'state', 'dead', 'error', ARGV[4], 'ended', string.format('%.0f', now))
  redis.call('ZADD', p .. 'dead:' .. queue, now, id)
else
  redis.call('HSET', job_key(id), 'error', ARGV[4])
  if ARGV[6] == '1' then redis.call('HINCRBY', job_key(id), 'attempts', -1) end
  enqueue(id, queue, now + tonumber(ARGV[5]), now)
  tell(queue)
end
return 1
