<?php
// The front controller: it answers for every path below this folder that is no file.

declare(strict_types=1);

$path = strtok($_SERVER['REQUEST_URI'], '?');

if ($path === '/hello' && $_SERVER['REQUEST_METHOD'] === 'POST') {
    $name = trim($_POST['name'] ?? '') ?: 'stranger';
    header('Content-Type: text/plain; charset=utf-8');
    echo "Hello, $name!\n";
    return;
}
if ($path !== '/') {
    http_response_code(404);
}
?>
<!doctype html>
<html lang="en">
<title>PHP behind Portico</title>
<link rel="stylesheet" href="style.css">
<h1><?= $path === '/' ? 'It works' : 'There is no ' . htmlspecialchars($path) ?></h1>
<p>PHP <?= PHP_VERSION ?>, <?= PHP_SAPI ?>, process <?= getmypid() ?>.</p>
<form method="post" action="hello">
  <label>Your name <input name="name"></label>
  <button>Say hello</button>
</form>
</html>
