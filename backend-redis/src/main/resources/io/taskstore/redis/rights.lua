-- Answers which commands on keys of ours the user may not use. ARGV: such a key.
local missing = {}
if redis.acl_check_cmd then
  local key = ARGV[1]
  for _, command in ipairs({
    {'TIME'}, {'EXISTS', key}, {'DEL', key}, {'PERSIST', key}, {'PEXPIREAT', key, '1'},
    {'HMGET', key, 'v'}, {'HGET', key, 'v'}, {'HEXISTS', key, 'v'}, {'HSET', key, 'v', '1'}, {'HDEL', key, 'v'},
    {'ZADD', key, '0', 'i'}, {'ZREM', key, 'i'}, {'ZCARD', key}, {'ZCOUNT', key, '0', '1'},
    {'ZRANGEBYSCORE', key, '0', '1'}, {'ZREVRANGE', key, '0', '1'},
    {'ZRANGEBYLEX', key, '-', '+'}, {'ZREVRANGEBYLEX', key, '+', '-'},
  }) do
    if not redis.acl_check_cmd(unpack(command)) then
      missing[#missing + 1] = string.lower(command[1])
    end
  end
end
return missing
