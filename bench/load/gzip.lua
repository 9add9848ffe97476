-- Every request takes gzip, as a browser's does.
dofile(os.getenv("BENCH_SUMMARY"))
wrk.headers["Accept-Encoding"] = "gzip"
