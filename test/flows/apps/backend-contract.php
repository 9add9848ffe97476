<?php
$kind = $_GET['do'] ?? 'hello';
if ($kind === 'hello') {
    header('Content-Length: 5');
    echo 'hello';
} elseif ($kind === 'environ') {
    header('Content-Type: application/json');
    echo json_encode($_SERVER);
} elseif ($kind === 'echo') {
    header('X-Length: ' . ($_SERVER['CONTENT_LENGTH'] ?? 'none'));
    readfile('php://input');
} elseif ($kind === 'unsized') {
    header('Set-Cookie: a=1', false);
    header('Set-Cookie: b=2', false);
    echo 'without a length';
} elseif ($kind === 'status') {
    http_response_code((int) $_GET['is']);
} elseif ($kind === 'location') {
    header('Location: ' . $_GET['to']);
} elseif ($kind === 'fatal') {
    error_log("a line\x1b[31m of red\nand another");
    throw new RuntimeException('it broke');
} elseif ($kind === 'drip') {
    foreach (str_split('drips') as $letter) {
        usleep(100_000);
        echo $letter;
        @ob_flush();
        flush();
    }
} elseif ($kind === 'endless') {
    register_shutdown_function(function () { file_put_contents(getenv('LEFT') ?: $_SERVER['LEFT'], 'left'); });
    for ($i = 0; $i < 1000; $i++) {
        echo str_repeat('more ', 100);
        @ob_flush();
        flush();
        usleep(20_000);
    }
} elseif ($kind === 'big') {
    for ($left = (int) $_GET['size']; $left > 0; $left -= 65536) {
        echo substr(str_repeat(implode('', array_map('chr', range(0, 255))), 256), 0, $left);
    }
} elseif ($kind === 'send') {
    header($_GET['by'] . ': ' . $_GET['path']);
    header('Content-Type: text/x-backend');
    echo 'dropped';
}
