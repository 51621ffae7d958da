-- Removes what is due of one partition. KEYS[1] is not used. ARGV: prefix of records, the caller's time, limit, allowance.
-- Answers how many were removed.
local limit = tonumber(ARGV[3])
local removed = 0
for _, due in ipairs({activeDue, doneDue}) do
  local skipped = 0
  while removed < limit do
    local ids = redis.call('ZRANGEBYSCORE', due, '-inf', ARGV[2], 'LIMIT', skipped, math.min(100, limit - removed))
    if #ids == 0 then
      break
    end
    for _, id in ipairs(ids) do
      local key = ARGV[1] .. id
      local found = redis.pcall('HMGET', key, 'v', 'a', 'w', 'd')
      local there = found.err or redis.call('EXISTS', key) == 1
      if found.err or (there and not (found[1] and found[2] and found[3] and found[4])) then
        skipped = skipped + 1 -- cannot be read, and stays
      else
        if there then
          redis.call('DEL', key)
          removed = removed + 1
        end
        forget(id, due)
      end
    end
  end
end
keepIndexes(tonumber(ARGV[4]))
return removed
