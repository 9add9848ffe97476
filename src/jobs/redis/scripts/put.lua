-- ARGV: id, queue, head, payload, priority, wait in ms, key, keep in ms. Returns the id that waits.
local id, queue, key = ARGV[1], ARGV[2], ARGV[7]
if redis.call('EXISTS', job_key(id)) == 1 then return id end
if key ~= '' then
  local same = redis.call('HGET', p .. 'keys:' .. queue, key)
  if same then return same end
  redis.call('HSET', p .. 'keys:' .. queue, key, id)
end
local now = clock()
redis.call('SADD', p .. 'queues', queue)
redis.call('HSET', job_key(id), 'queue', queue, 'head', ARGV[3], 'payload', ARGV[4], 'key', key,
  'keep', ARGV[8], 'rank', new_rank(tonumber(ARGV[5])), 'attempts', 0, 'receipt', '', 'error', '',
  'due', string.format('%.0f', now))
enqueue(id, queue, now + tonumber(ARGV[6]), now)
tell(queue)
return id
