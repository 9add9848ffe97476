use Mojolicious::Lite -signatures;

app->secrets(['for the test']);
app->log->level('fatal');

get '/'              => sub ($c) { $c->render(text => 'Hello from mojo') };
post '/form'         => sub ($c) { $c->render(text => 'name=' . $c->param('name')) };
get '/hello/#who'    => sub ($c) { $c->render(text => 'hello ' . $c->param('who')) };
get '/redirect'      => sub ($c) { $c->redirect_to('/') };
get '/dies'          => sub ($c) { die 'on purpose' };
get '/count'         => sub ($c) { $c->render(text => ++$c->session->{count}) };
get '/stream'        => sub ($c) { $c->write_chunk("0\n" => sub { $_[0]->write_chunk("1\n" => sub { $_[0]->finish("2\n") }) }) };

app->start;
