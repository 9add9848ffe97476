-- ARGV: queue, most, holder, receipt. Returns how long until the next one is due in ms (-1: none waits for
-- its time), then id, head, payload, attempts and receipt of each.
local queue, most, holder = ARGV[1], tonumber(ARGV[2]), ARGV[3]
local ready, later = p .. 'ready:' .. queue, p .. 'later:' .. queue
local now = clock()
for _, id in ipairs(redis.call('ZRANGEBYSCORE', later, '-inf', now, 'LIMIT', 0, 1000)) do
  redis.call('ZREM', later, id)
  enqueue(id, queue, 0, now)
end
local answer = { -1 }
local next_one = redis.call('ZRANGE', later, 0, 0, 'WITHSCORES')
if next_one[2] then answer[1] = math.max(0, tonumber(next_one[2]) - now) end
local found = redis.call('ZPOPMIN', ready, most)
for i = 1, #found, 2 do
  local id = found[i]
  local receipt = ARGV[4] .. '.' .. i
  local attempts = redis.call('HINCRBY', job_key(id), 'attempts', 1)
  local job = redis.call('HMGET', job_key(id), 'head', 'payload', 'key')
  if job[3] ~= '' then
    redis.call('HDEL', p .. 'keys:' .. queue, job[3])
    redis.call('HSET', job_key(id), 'key', '')
  end
  redis.call('HSET', job_key(id), 'state', 'running', 'receipt', receipt, 'holder', holder)
  redis.call('SADD', p .. 'held:' .. holder, id)
  redis.call('SADD', p .. 'running:' .. queue, id)
  for _, value in ipairs({ id, job[1], job[2], attempts, receipt }) do table.insert(answer, value) end
end
return answer
