# A worker from its birth to its end: connects to every server thread and answers requests.
package Portico::Worker;
use strict;
use warnings;
use IO::Handle ();
use JSON::PP   ();
use POSIX      ();
use Time::HiRes qw(time);
use Portico::Answer  ();
use Portico::Link    ();
use Portico::Process ();
use Portico::Request ();

# Longest wait in seconds before the links are looked after again.
use constant LONGEST_WAIT => 0.5;
# How long a departing worker waits for the servers' QUIT, in seconds; then it goes.
use constant PATIENCE => 2.0;

sub new {
    my ($class, $parent, $slot) = @_;
    my $settings = $parent->{settings};
    my $app      = $settings->{app};
    my $hello    = JSON::PP->new->ascii->canonical->encode(
        { app => $app->{name}, slot => $slot + 0, pid => $$ + 0, capacity => 1 });
    pipe my $read, my $write or die "pipe: $!\n";
    $_->blocking(0) for $read, $write;
    Portico::Request::prepare($app->{workers});
    return bless {
        application => $parent->{application},
        lifeline    => $parent->{lifeline}[0],
        links       => [map { Portico::Link->new($_, $hello) } @{ $settings->{links} }],
        wake        => [$read, $write],
        # Somebody wants this worker to end; until when it waits for the servers to let it go.
        asked         => 0,
        patience_ends => undef,
    }, $class;
}

# Answers requests until every server has said QUIT, or the worker has departed.
sub run {
    my ($self) = @_;
    my $ask = sub { $self->{asked} = 1; syswrite $self->{wake}[1], '!' };
    $SIG{ Portico::Process::name($Portico::Process::RETIRE) } = $ask;
    $SIG{TERM} = $ask if ($SIG{TERM} // 'DEFAULT') eq 'DEFAULT' || $SIG{TERM} eq '';
    my $done = eval {
        while ($self->look_after_links) {
            for my $link ($self->wait) { $self->serve($link) if $link->receive }
        }
        1;
    };
    return if $done;
    die $@ if ref $@ ne 'Portico::Garbage';
    print STDERR "portico: worker $$ gives up: $@->{reason}\n";
    POSIX::_exit(70);
}

# Closes, renews and says farewell. False: all is over.
sub look_after_links {
    my ($self) = @_;
    my $links = $self->{links};
    $self->{patience_ends} //= time + PATIENCE if $self->{asked};
    for my $link (@$links) {
        if    ($link->{quit})   { $link->close }
        elsif ($link->{broken}) { $link = $link->successor }
        $link->leave if $self->{asked} && $link->{socket};
    }
    my $connected = grep { $_->{socket} } @$links;
    return 0 if !$connected && ($self->{asked} || grep { $_->{quit} } @$links);
    return !$self->{asked} || time < $self->{patience_ends};
}

# The links on which something has come.
sub wait {
    my ($self) = @_;
    my $pause = $self->{asked} ? LONGEST_WAIT : $self->connect;
    my $ready = '';
    my @open  = grep { $_->{socket} } @{ $self->{links} };
    vec($ready, fileno $_, 1) = 1 for $self->{wake}[0], $self->{lifeline}, map { $_->{socket} } @open;
    return if select($ready, undef, undef, $pause) <= 0;
    # The parent is gone, and this system did not end us with it.
    POSIX::_exit(1) if vec $ready, fileno $self->{lifeline}, 1;
    sysread $self->{wake}[0], my $bytes, 4096 if vec $ready, fileno $self->{wake}[0], 1;
    return grep { vec $ready, fileno $_->{socket}, 1 } @open;
}

# Tries the links that are due; the seconds until the next one is.
sub connect {
    my ($self) = @_;
    my $pause = LONGEST_WAIT;
    for my $link (grep { !$_->{socket} && !$_->{quit} } @{ $self->{links} }) {
        next if time >= $link->{next_try} && $link->connect;
        my $rest = $link->{next_try} - time;
        $pause = $rest < 0.001 ? 0.001 : $rest if $rest < $pause;
    }
    return $pause;
}

# Answers all the requests in hand on a link.
sub serve {
    my ($self, $link) = @_;
    while (my $request = $link->next_request) {
        my ($id, $flags, $payload) = @$request;
        my $answer = $link->{answer} = Portico::Answer->new($link, $id);
        my $env    = $answer->run($self->{application}, $flags, $payload);
        $link->{answer} = undef;
        $self->clean_up($link, $answer, $env);
        $link->served($answer->{began}, $env->{REQUEST_METHOD} // '');
        return if $link->{broken};
    }
    $link->flush;
}

# What the application wants done behind its answer (PSGI extensions psgix.cleanup, psgix.harakiri).
sub clean_up {
    my ($self, $link, $answer, $env) = @_;
    my $handlers = $env->{'psgix.cleanup.handlers'};
    if (ref $handlers eq 'ARRAY' && @$handlers) {
        $link->flush;
        for my $handler (@$handlers) {
            local $@;
            local $Portico::Process::guarded = $$;
            eval { $handler->($env); 1 } or $answer->log("a cleanup handler failed\n$@");
        }
    }
    $self->{asked} = 1 if $env->{'psgix.harakiri.commit'};
}

1;
