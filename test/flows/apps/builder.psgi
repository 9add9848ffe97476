use strict;
use warnings;
use FindBin;
use Plack::Builder;
use Plack::Request;

builder {
    enable 'Runtime';
    enable 'Static', path => sub { s{^/static/}{} }, root => "$FindBin::Bin/../../apps";
    mount '/mounted' => sub { my ($env) = @_; [200, ['Content-Type' => 'text/plain'], ["$env->{SCRIPT_NAME} $env->{PATH_INFO}"]] };
    mount '/chunked' => builder {
        enable 'Chunked';
        sub {
            return sub {
                my $writer = $_[0]->([200, ['Content-Type' => 'text/plain']]);
                $writer->write("$_;") for 0 .. 2;
                $writer->close;
            };
        };
    };
    mount '/dies' => sub { die "on purpose\n" };
    mount '/' => sub { Plack::Request->new($_[0])->new_response(200, ['Content-Type' => 'text/plain'], "Hello from builder\n")->finalize };
};
