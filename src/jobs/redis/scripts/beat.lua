-- ARGV: holder, life in ms, 1 to give back what is in hand beyond the ids that follow. Says that the holder lives,
-- and gives back what those have in hand who have not said so for too long.
local now = clock()

local function give_back(id, holder)
  local queue = redis.call('HGET', job_key(id), 'queue')
  if queue then
    let_go(id, queue, holder)
    enqueue(id, queue, 0, now)
    tell(queue)
  else
    redis.call('SREM', p .. 'held:' .. holder, id)
  end
end

redis.call('ZADD', p .. 'holders', now + tonumber(ARGV[2]), ARGV[1])
if ARGV[3] == '1' then
  local mine = {}
  for i = 4, #ARGV do mine[ARGV[i]] = true end
  for _, id in ipairs(redis.call('SMEMBERS', p .. 'held:' .. ARGV[1])) do
    if not mine[id] then give_back(id, ARGV[1]) end
  end
end
for _, holder in ipairs(redis.call('ZRANGEBYSCORE', p .. 'holders', '-inf', now)) do
  for _, id in ipairs(redis.call('SMEMBERS', p .. 'held:' .. holder)) do give_back(id, holder) end
  redis.call('ZREM', p .. 'holders', holder)
end
return 1
