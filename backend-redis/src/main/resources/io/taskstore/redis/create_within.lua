-- ARGV: as of put, then the limit and the caller's time
local was = stored()
if was[1] < 0 then
  return was
end
if was[2] then
  sendAgain(was, ARGV[7], ARGV[10])
  -- our own write, whose answer was lost
  return was[2] == '1' and was[5] == ARGV[7] and {1} or winner(was)
end
if redis.call('ZCOUNT', activeDue, '(' .. ARGV[12], '+inf') >= tonumber(ARGV[11]) then
  return {2}
end
write(ARGV[1], ARGV[2], ARGV[4], ARGV[5], ARGV[6], ARGV[7], ARGV[8], tonumber(ARGV[9]), was)
return {1}
