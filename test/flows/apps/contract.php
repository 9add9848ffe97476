<?php
// What a PHP script can ask of its server; the path says what.
$what = $_GET['do'] ?? '';
switch ($what) {
    case 'server':
        header('Content-Type: application/json');
        echo json_encode(array_filter($_SERVER, 'is_scalar') + ['file' => __FILE__]);
        break;
    case 'environment':
        header('Content-Type: application/json');
        echo json_encode(getenv());
        break;
    case 'ini':
        echo ini_get($_GET['name']);
        break;
    case 'ids':
        $ids = file_get_contents('/proc/self/status');
        preg_match('/^Uid:\s+(\d+)/m', $ids, $uid);
        preg_match('/^Gid:\s+(\d+)/m', $ids, $gid);
        echo getmypid(), ' ', $uid[1], ' ', $gid[1];
        break;
    case 'post':
        header('Content-Type: application/json');
        $files = [];
        foreach ($_FILES as $name => $file) {
            $files[$name] = [$file['name'], $file['size'], $file['error'] ?: hash_file('sha256', $file['tmp_name'])];
        }
        echo json_encode(['post' => $_POST, 'files' => $files, 'length' => $_SERVER['CONTENT_LENGTH'] ?? null]);
        break;
    case 'raw':
        echo hash('sha256', file_get_contents('php://input'));
        break;
    case 'status':
        http_response_code((int) $_GET['code']);
        header('X-Was-Here: yes');
        echo 'status';
        break;
    case 'error':
        failing();
        break;
    case 'warning':
        echo 'before ', $undefined, ' after';
        break;
    case 'log':
        error_log("a line of the log\nand another");
        file_put_contents('php://stderr', "straight to stderr\n");
        echo 'logged';
        break;
    case 'memory':
        str_repeat('x', 1 << 30);
        break;
    case 'sleep':
        stuck((float) ($_GET['s'] ?? 1));
        echo 'slept';
        break;
    case 'stream':
        header('Content-Type: text/plain');
        while (ob_get_level() > 0) {
            ob_end_flush();
        }
        for ($i = 0; $i < (int) ($_GET['n'] ?? 4); $i++) {
            echo "$i;";
            flush();
            usleep(250_000);
        }
        break;
    case 'large':
        for ($i = 0; $i < 160; $i++) {
            echo str_repeat(chr(97 + $i % 26), 65_536);
        }
        break;
    case 'session':
        session_save_path(sys_get_temp_dir());
        session_start();
        echo $_SESSION['n'] = ($_SESSION['n'] ?? 0) + 1;
        break;
    case 'crash':
        file_put_contents('php://stderr', "about to go\n");
        exec('kill -SEGV ' . getmypid());
        sleep(5);
        break;
    default:
        echo 'contract ', $_SERVER['REQUEST_METHOD'], ' ', $_SERVER['REQUEST_URI'];
}

function failing(): void
{
    throw new RuntimeException('it broke');
}

function stuck(float $seconds): void
{
    $until = microtime(true) + $seconds;
    while (microtime(true) < $until) {
        usleep(20_000);
    }
}
