-- No two requests alike: path, query, cookie and header values all change, so that whatever a server
-- remembers of the last request is of no use.
local random = math.random
local number = 0
local host = ''

init = function()
  math.randomseed(os.time())
  host = '\r\nHost: ' .. wrk.headers['Host'] .. '\r\nUser-Agent: bench/'
end

request = function()
  number = number + 1
  local a, b = random(1000000000), random(1000000000)
  return 'GET /shelf/' .. a .. '/book/' .. number .. '?page=' .. b .. '&sort=' .. a % 97 .. ' HTTP/1.1' ..
    host .. number % 89 .. '.' .. b % 1000 ..
    '\r\nAccept: text/html;q=0.' .. a % 9 .. ',*/*' ..
    '\r\nCookie: session=' .. b .. a .. '; seen=' .. number ..
    '\r\nX-Request-Id: ' .. a .. '-' .. b .. '\r\n\r\n'
end

dofile(os.getenv('BENCH_SUMMARY'))
