-- A connection for each request.
init = function()
  wrk.headers['Connection'] = 'close'
end

dofile(os.getenv('BENCH_SUMMARY'))
