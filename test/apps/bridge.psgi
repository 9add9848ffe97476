# Every way in which PSGI lets an application answer, and some in which it does not.
use strict;
use warnings;
use Digest::SHA ();
use JSON::PP ();
use Time::HiRes qw(sleep);

my $closed = 0;
my %routes;

sub options { return map { split /=/, $_, 2 } split /&/, $_[0]{QUERY_STRING} }
sub plain { return [200, ['Content-Type' => 'text/plain'], ref $_[0] ? $_[0] : [$_[0]]] }

{
    package Pieces;
    sub new     { my ($class, $next) = @_; return bless { next => $next }, $class }
    sub getline { return $_[0]{next}->() }
    sub close   { $closed++ }
}

# `count` pieces made by `$make`.
sub pieces { my ($count, $make) = @_; my $at = 0; return Pieces->new(sub { $at < $count ? $make->($at++) : undef }) }

%routes = (
    '/tuple' => sub { plain(['one ', 'two ', '', 'three']) },
    '/environ' => sub {
        my ($env) = @_;
        plain(JSON::PP->new->allow_nonref->allow_unknown->canonical->encode(
            { map { $_ => ref $env->{$_} eq 'GLOB' || ref $env->{$_} eq 'CODE' ? 'handle' : $env->{$_} } keys %$env }));
    },
    '/spoil' => sub { my ($env) = @_; @$env{qw(SPOILED HTTP_HOST)} = ('yes', 'spoiled'); plain('spoiled') },
    '/digest' => sub {
        my ($env) = @_;
        my ($digest, $size) = (Digest::SHA->new(256), 0);
        while (my $got = $env->{'psgi.input'}->read(my $data, 65_536)) { $digest->add($data); $size += $got }
        plain("$size " . $digest->hexdigest);
    },
    '/input' => sub {
        my ($env) = @_;
        my $input = $env->{'psgi.input'};
        my @lines = readline $input;
        seek $input, 0, 0;
        read $input, my $again, 3;
        plain(JSON::PP->new->encode([@lines, $again]));
    },
    '/log' => sub {
        my ($env) = @_;
        $env->{'psgi.errors'}->print("to errors\n");
        print "to stdout\n";
        warn "to stderr\n";
        plain('ok');
    },
    '/status' => sub {
        my %asked = options(@_);
        return [$asked{status}, [defined $asked{length} ? ('Content-Length' => $asked{length}) : ()], [$asked{body} // '']];
    },
    '/fields' => sub {
        return [200, ['Set-Cookie' => 'a=1', 'Set-Cookie' => 'b=2', 'X-Latin' => "caf\xe9", Connection => 'close',
            Date => 'Thu, 01 Jan 1970 00:00:00 GMT', Server => 'mine'], ['']];
    },
    '/one-piece' => sub { my %asked = options(@_); plain('p' x $asked{size}) },
    '/stream' => sub {
        my %asked = options(@_);
        my $chunk = $asked{chunk} // 65_536;
        my $left  = $asked{size};
        plain(Pieces->new(sub { return undef if $left <= 0; my $size = $left < $chunk ? $left : $chunk; $left -= $size; 's' x $size }));
    },
    '/steps' => sub { plain(pieces(3, sub { sleep 0.15; "$_[0];" })) },
    '/length' => sub {
        my %asked = options(@_);
        my @chunks = map { 'x' x $_ } split /,/, $asked{chunks};
        return [200, ['Content-Length' => $asked{declared}], $asked{list} ? \@chunks : pieces(scalar @chunks, sub { $chunks[$_[0]] })];
    },
    '/delayed' => sub { return sub { $_[0]->(plain('delayed')) } },
    '/writer' => sub {
        return sub {
            my $writer = $_[0]->([200, ['Content-Type' => 'text/plain']]);
            for my $number (0 .. 2) { sleep 0.15; $writer->write("$number;") }
            $writer->close;
        };
    },
    '/writer-left-open' => sub { return sub { $_[0]->([200, []])->write('some') } },
    '/no-responder' => sub { return sub { } },
    '/informs' => sub { my ($env) = @_; $env->{'psgix.informational'}->(103, [Link => '</a.css>; rel=preload']); plain('informed') },
    '/chunked' => sub { return [200, ['Transfer-Encoding' => 'chunked'], ["5\r\nhello\r\n", "6;x=y\r\n world\r\n0\r\n\r\n"]] },
    '/chunked-not' => sub { return [200, ['Transfer-Encoding' => 'chunked'], ["hello"]] },
    '/file' => sub {
        my %asked = options(@_);
        my $layer = $asked{layer} // '';
        open my $file, "<$layer", $asked{path} or die "$asked{path}: $!";
        unlink $asked{path} if $asked{unlink};
        read $file, my $skipped, $asked{from} if $asked{from};
        return [200, [defined $asked{length} ? ('Content-Length' => $asked{length}) : ()], $file];
    },
    '/cleanup' => sub {
        my ($env) = @_;
        push @{ $env->{'psgix.cleanup.handlers'} }, sub { sleep 0.2; print STDERR "cleaned up $_[0]{PATH_INFO}\n" }, sub { die "on purpose\n" };
        plain('first');
    },
    '/harakiri' => sub { $_[0]{'psgix.harakiri.commit'} = 1; plain('last') },
    '/raises' => sub { inner('on purpose') },
    '/raises-object' => sub { die bless { text => 'an object' }, 'Failure' },
    '/raises-late' => sub { plain(pieces(2, sub { die "later\n" if $_[0]; 'some' })) },
    '/exits' => sub { exit 3 },
    '/bad' => sub {
        my %asked = options(@_);
        my %answers = (
            status => ['20', [], []], early => [100, [], []], headers => [200, {}, []], odd => [200, ['A'], []],
            name => [200, ['A b' => 'c'], []], newline => [200, ['A' => "b\r\nSet-Cookie: c"], []],
            wide => [200, ['A' => "\x{20ac}"], []], length => [200, ['Content-Length' => -1], []],
            lengths => [200, ['Content-Length' => 1, 'Content-Length' => 2], []],
            'body-wide' => [200, [], ["\x{20ac}"]], 'body-string' => [200, [], 'text'], 'body-undef' => [200, [], undef],
            two => [200, []], text => 'text', nothing => undef, hash => {},
        );
        return $answers{ $asked{what} };
    },
    '/closing' => sub {
        my %asked = options(@_);
        plain(pieces(1 + ($asked{more} // 0), sub { die "on purpose\n" if $asked{raise} && $_[0]; sleep 0.02 if $_[0]; 'a' x 10 }));
    },
    '/closed' => sub { plain("$closed") },
    '/sleep' => sub { my %asked = options(@_); Doze::nap($asked{seconds}); plain('slept') },
    '/busy' => sub { Doze::spin() },
    '/die' => sub { kill 'KILL', $$ },
    '/pid' => sub { plain("$$") },
);

sub inner { my ($what) = @_; die "$what\n" }

{
    package Doze;
    sub nap { my $until = Time::HiRes::time() + $_[0]; while ((my $left = $until - Time::HiRes::time()) > 0) { select undef, undef, undef, $left } }
    sub spin { 1 while 1 }
    package Failure;
    use overload '""' => sub { "failure with $_[0]{text}" };
}

sub {
    my ($env) = @_;
    my $route = $routes{ $env->{PATH_INFO} } or return [404, ['Content-Type' => 'text/plain'], ["nothing here\n"]];
    return $route->($env);
};
