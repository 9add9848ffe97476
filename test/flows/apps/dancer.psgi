package Contract;
use Dancer2;

set session => 'Simple';
set charset => 'UTF-8';
set logger => 'null';

get '/'           => sub { 'Hello from dancer' };
post '/form'      => sub { content_type 'text/plain'; 'name=' . body_parameters->get('name') };
get '/hello/:who' => sub { content_type 'text/plain'; 'hello ' . route_parameters->get('who') };
get '/redirect'   => sub { redirect '/' };
get '/dies'       => sub { die 'on purpose' };
get '/count'      => sub { my $count = (session('count') // 0) + 1; session count => $count; $count };
get '/stream'     => sub {
    delayed {
        flush;
        content "$_\n" for 0 .. 2;
        done;
    };
};

Contract->to_app;
