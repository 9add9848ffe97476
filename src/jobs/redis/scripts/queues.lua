-- Returns queue, waiting, delayed, running, dead and the oldest one's head (or '') of each.
local now = clock()
local answer = {}
for _, queue in ipairs(redis.call('SMEMBERS', p .. 'queues')) do
  local ready, later = p .. 'ready:' .. queue, p .. 'later:' .. queue
  local due = redis.call('ZCOUNT', later, '-inf', now)
  table.insert(answer, queue)
  table.insert(answer, redis.call('ZCARD', ready) + due)
  table.insert(answer, redis.call('ZCARD', later) - due)
  table.insert(answer, redis.call('SCARD', p .. 'running:' .. queue))
  table.insert(answer, redis.call('ZCARD', p .. 'dead:' .. queue))
  -- The first of each priority: one of them is the oldest.
  local heads = {}
  for priority = 0, 9 do
    local low = (9 - priority) * 1e13
    local first = redis.call('ZRANGEBYSCORE', ready, string.format('%.0f', low),
      string.format('%.0f', low + 1e13 - 1), 'LIMIT', 0, 1)
    if first[1] then table.insert(heads, redis.call('HGET', job_key(first[1]), 'head')) end
  end
  table.insert(answer, heads)
end
return answer
