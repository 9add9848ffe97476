-- KEYS[1]: the prefix of every key, with a hash tag: all of them are in one slot of a cluster.
--   job:ID        hash, everything about a job     keys:QUEUE   hash, unique key to the id that waits
--   ready:QUEUE   zset by rank                     later:QUEUE  zset by due time
--   running:QUEUE set                              dead:QUEUE   zset by the time of death
--   held:HOLDER   set, ids in a process's hands    holders      zset by when their life must be renewed
local p = KEYS[1]

-- Redis's own clock, ms: the machines' clocks differ.
local function clock()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function job_key(id)
  return p .. 'job:' .. id
end

-- Higher priorities first, then in the order of arrival.
local function new_rank(priority)
  return string.format('%.0f', (9 - priority) * 1e13 + redis.call('INCR', p .. 'seq'))
end

local function enqueue(id, queue, due, now)
  if due > now then
    redis.call('HSET', job_key(id), 'state', 'delayed', 'due', string.format('%.0f', due))
    redis.call('ZADD', p .. 'later:' .. queue, due, id)
  else
    redis.call('HSET', job_key(id), 'state', 'waiting')
    redis.call('ZADD', p .. 'ready:' .. queue, redis.call('HGET', job_key(id), 'rank'), id)
  end
end

local function tell(queue)
  redis.call('PUBLISH', p .. 'work', queue)
end

-- From the hands of a holder; the receipt stays, so that a late word about it still counts.
local function let_go(id, queue, holder)
  redis.call('SREM', p .. 'held:' .. holder, id)
  redis.call('SREM', p .. 'running:' .. queue, id)
end

local function forget_payload(id, state, now)
  local keep = tonumber(redis.call('HGET', job_key(id), 'keep'))
  if keep == 0 then
    redis.call('DEL', job_key(id))
    return
  end
  redis.call('HDEL', job_key(id), 'payload')
  redis.call('HSET', job_key(id), 'state', state, 'ended', string.format('%.0f', now))
  redis.call('PEXPIRE', job_key(id), keep)
end
