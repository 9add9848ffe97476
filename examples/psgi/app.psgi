# A whole PSGI application without a framework: a guest book, and a stream.
#
# `portico serve examples/psgi`, then open http://localhost:8080/ in a browser, or
# `curl -N http://localhost:8080/count`.
use strict;
use warnings;
use utf8;
use Encode qw(encode_utf8);
use Plack::Request;

# Each worker has its own: what all are to see belongs in a database.
my @guests;

my %routes = (
    'GET /' => sub {
        my ($request) = @_;
        my $list = join '', map { "<li>" . escape($_) . "</li>\n" } reverse @guests;
        return html(<<"PAGE");
<!doctype html>
<meta charset="utf-8">
<title>Guests</title>
<h1>Guests</h1>
<form method="post"><input name="name" autofocus placeholder="Your name"> <button>Sign</button></form>
<ol>
$list</ol>
<p>Perl $^V, worker $$</p>
PAGE
    },
    'POST /' => sub {
        my ($request) = @_;
        my $name = Encode::decode('UTF-8', $request->body_parameters->{name} // '');
        push @guests, substr $name, 0, 100 if $name =~ /\S/;
        shift @guests if @guests > 100;
        return [303, [Location => $request->script_name . '/'], []];
    },
    'GET /count' => sub {
        # A delayed answer: each line leaves as it is written.
        return sub {
            my ($respond) = @_;
            my $writer = $respond->([200, ['Content-Type' => 'text/plain']]);
            for my $number (1 .. 5) {
                $writer->write("$number\n");
                sleep 1;
            }
            $writer->close;
        };
    },
);

sub html { return [200, ['Content-Type' => 'text/html; charset=utf-8'], [encode_utf8($_[0])]] }

sub escape {
    my %entities = ('&' => '&amp;', '<' => '&lt;', '>' => '&gt;', '"' => '&quot;');
    return $_[0] =~ s/([&<>"])/$entities{$1}/gr;
}

sub {
    my ($env)   = @_;
    my $request = Plack::Request->new($env);
    my $route   = $routes{ $request->method . ' ' . $request->path_info };
    return $route ? $route->($request) : [404, ['Content-Type' => 'text/plain'], ["Nothing here\n"]];
};
