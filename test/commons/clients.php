<?php
function check($got, $expected) {
    if ($got !== $expected) {
        echo var_export($got, true), ', not ', var_export($expected, true), "\n";
        debug_print_backtrace();
        exit(1);
    }
}

$redis = new Redis();
$redis->connect(getenv('PORTICO_COMMONS'));
$redis->select(4);
$redis->flushDb();
check($redis->set('a', "\0\xff", ['nx', 'ex' => 60]), true);
check($redis->set('a', 1, ['nx']), false);
check($redis->get('a'), "\0\xff");
check($redis->ttl('a'), 60);
check($redis->incrBy('n', 5), 5);
check($redis->mget(['n', 'none']), ['5', false]);
check($redis->multi()->incr('n')->hSet('h', 'f', 'v')->hGetAll('h')->exec(), [6, 1, ['f' => 'v']]);
check($redis->rPush('q', 'x', 'y'), 2);
check($redis->blPop(['q'], 1), ['q', 'x']);
check($redis->lRange('q', 0, -1), ['y']);
check($redis->rawCommand('PORTICO.UNLOCK', 'none'), 0);
$redis->setOption(Redis::OPT_SCAN, Redis::SCAN_RETRY);
$it = null;
$found = [];
while ($keys = $redis->scan($it, '*', 2)) {
    $found = array_merge($found, $keys);
}
sort($found);
check($found, ['a', 'h', 'n', 'q']);
$redis->close();

$memcached = new Memcached();
$memcached->addServer(getenv('MEMCACHED'), 0);
$memcached->flush();
check($memcached->set('a', ['b' => 1], 60), true);
check($memcached->get('a'), ['b' => 1]);
check($memcached->add('a', 1), false);
check($memcached->set('n', 5), true);
check($memcached->increment('n', 2), 7);
check($memcached->getMulti(['n', 'none']), ['n' => 7]);
$all = $memcached->get('n', null, Memcached::GET_EXTENDED);
check($memcached->cas($all['cas'], 'n', 8), true);
check($memcached->cas($all['cas'], 'n', 9), false);
check($memcached->touch('n', 60), true);
check($memcached->delete('n'), true);
check($memcached->get('n'), false);
check($memcached->getResultCode(), Memcached::RES_NOTFOUND);
check(array_values($memcached->getVersion()), ['1.6.0']);
echo "fine\n";
