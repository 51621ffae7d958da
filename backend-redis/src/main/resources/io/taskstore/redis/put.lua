-- ARGV: prefix of records, id, expected version (empty: absent), new version, active, expiry, write id, data, allowance,
-- 1 if replicas are waited for
local was = stored()
if was[1] < 0 or (was[2] or '') ~= ARGV[3] then
  sendAgain(was, ARGV[7], ARGV[10])
  return winner(was)
end
write(ARGV[1], ARGV[2], ARGV[4], ARGV[5], ARGV[6], ARGV[7], ARGV[8], tonumber(ARGV[9]), was)
return {1}
