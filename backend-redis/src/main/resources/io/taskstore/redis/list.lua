-- KEYS: an index by id. ARGV: prefix of records, id to go on after (empty: none), 1 for descending, limit, bytes to end a page at,
-- 1 for heads only. Answers {id to go on after or empty, {id, version, active, expiry, write id, data}, …}; {id} alone cannot be
-- read; of heads {id, expiry}.
local after, limit, heads = ARGV[2], tonumber(ARGV[4]), ARGV[6] == '1'
local ids
if ARGV[3] == '1' then
  ids = redis.call('ZREVRANGEBYLEX', KEYS[1], after == '' and '+' or '(' .. after, '-', 'LIMIT', 0, limit)
else
  ids = redis.call('ZRANGEBYLEX', KEYS[1], after == '' and '-' or '(' .. after, '+', 'LIMIT', 0, limit)
end
local page = {''}
local bytes = 0
for i, id in ipairs(ids) do
  local key = ARGV[1] .. id
  local found
  if heads then
    found = redis.pcall('HMGET', key, 'v', 'a', 'e', 'w')
  else
    found = redis.pcall('HMGET', key, 'v', 'a', 'e', 'w', 'd')
  end
  if found.err and not string.find(found.err, 'WRONGTYPE', 1, true) then
    return redis.error_reply('TRYAGAIN the record is on the way to another node')
  elseif found.err or (found[1] and found[2] and found[4] and (heads or found[5])) == false then
    if found.err or found[1] or found[2] or found[4] or found[5] or redis.call('EXISTS', key) == 1 then
      page[#page + 1] = {id}
    end
  elseif not heads then
    page[#page + 1] = {id, found[1], found[2], found[3] or '', found[4], found[5]}
    bytes = bytes + #found[5]
  elseif found[2] == '1' then
    page[#page + 1] = {id, found[3] or ''}
  end
  if i == limit or bytes >= tonumber(ARGV[5]) then
    page[1] = id
    break
  end
end
return page
