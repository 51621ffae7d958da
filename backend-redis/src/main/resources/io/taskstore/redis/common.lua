-- KEYS: the record, then the partition's indexes: all its ids, the active ones (both by id), and when the active and the
-- other ones expire (by that time, +inf for never). A record is in `all`, and in either `active` and `activeDue`, or `doneDue`.
local record, all, active, activeDue, doneDue = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

-- When Redis may drop what expires at `expiry`: never early, and never under a call that reports success.
local function dropAt(expiry, allowance)
  return string.format('%.0f', math.max(tonumber(expiry), now) + allowance)
end

-- What is stored, but for the data: {0} if nothing, {-1} if it cannot be read, else {0, version, active, expiry, write id}.
local function stored()
  local found = redis.call('HMGET', record, 'v', 'a', 'e', 'w')
  if found[1] and found[2] and found[4] and redis.call('HEXISTS', record, 'd') == 1 then
    return {0, found[1], found[2], found[3] or '', found[4]}
  end
  return redis.call('EXISTS', record) == 0 and {0} or {-1}
end

-- The answer to who has lost a race.
local function winner(was)
  if was[2] then
    was[6] = redis.call('HGET', record, 'd')
  end
  return was
end

-- A write that is repeated because its answer was lost may stand here and not in the replicas. WAIT promises to wait for what
-- its own connection has written, which after a reconnect is nothing: so something is, without a change. (Redis 7.0 waits for
-- all that was written before the connection's last command, which is more than the promise.)
local function sendAgain(was, writeId, replicated)
  if replicated == '1' and was[5] == writeId then
    redis.call('HSET', record, 'w', writeId)
  end
end

-- An index lives as long as what is in it, so that nothing stays behind when everything has expired.
local function keepIndexes(allowance)
  local tops = {}
  for i, due in ipairs({activeDue, doneDue}) do
    tops[i] = redis.call('ZREVRANGE', due, 0, 0, 'WITHSCORES')[2]
  end
  local function keep(index, top)
    if top == 'inf' then
      redis.call('PERSIST', index)
    elseif top then
      redis.call('PEXPIREAT', index, dropAt(top, allowance))
    end
  end
  keep(active, tops[1])
  keep(activeDue, tops[1])
  keep(doneDue, tops[2])
  if not tops[1] or not tops[2] then
    keep(all, tops[1] or tops[2])
  elseif tops[1] == 'inf' or tops[2] == 'inf' then
    keep(all, 'inf')
  else
    keep(all, tonumber(tops[1]) > tonumber(tops[2]) and tops[1] or tops[2])
  end
end

-- Takes an id, which stands in `due`, out of the indexes.
local function forget(id, due)
  redis.call('ZREM', all, id)
  redis.call('ZREM', active, id)
  redis.call('ZREM', due, id)
end

-- Forgets a few ids whose records Redis has dropped.
local function trim(base, allowance)
  local before = string.format('%.0f', now - allowance)
  for _, due in ipairs({activeDue, doneDue}) do
    for _, id in ipairs(redis.call('ZRANGEBYSCORE', due, '-inf', before, 'LIMIT', 0, 8)) do
      -- An error if this slot is moving to another node, and the record may be there. What is begun must not end in it.
      if redis.pcall('EXISTS', base .. id) == 0 then
        forget(id, due)
      end
    end
  end
end

-- In an index of another type nothing may be half written.
local function checkIndexes()
  for i = 2, 5 do
    redis.call('ZCARD', KEYS[i])
  end
end

-- Writes a record, and the indexes if they change. `was` is what is stored now.
local function write(base, id, version, isActive, expiry, writeId, data, allowance, was)
  -- Of an expiry that is over, what Redis has of it moves with the time of the write.
  local indexesStay = was[2] and was[3] == isActive and was[4] == expiry and (expiry == '' or tonumber(expiry) > now)
  if not indexesStay then
    checkIndexes()
  end
  redis.call('HSET', record, 'v', version, 'a', isActive, 'w', writeId, 'd', data)
  if expiry == '' then
    redis.call('HDEL', record, 'e')
    redis.call('PERSIST', record)
  else
    redis.call('HSET', record, 'e', expiry)
    redis.call('PEXPIREAT', record, dropAt(expiry, allowance))
  end
  if indexesStay then
    return
  end
  local score = expiry == '' and '+inf' or expiry
  redis.call('ZADD', all, 0, id)
  if isActive == '1' then
    redis.call('ZADD', active, 0, id)
    redis.call('ZADD', activeDue, score, id)
    redis.call('ZREM', doneDue, id)
  else
    redis.call('ZADD', doneDue, score, id)
    redis.call('ZREM', active, id)
    redis.call('ZREM', activeDue, id)
  end
  trim(base, allowance)
  keepIndexes(allowance)
end
