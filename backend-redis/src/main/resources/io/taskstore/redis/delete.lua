-- ARGV: prefix of records, id, expected version, allowance
local was = stored()
if was[1] < 0 or was[2] ~= ARGV[3] then
  return winner(was)
end
checkIndexes()
redis.call('DEL', record)
for i = 2, 5 do
  redis.call('ZREM', KEYS[i], ARGV[2])
end
trim(ARGV[1], tonumber(ARGV[4]))
keepIndexes(tonumber(ARGV[4]))
return {1}
