# One answer of the application, from its call to the last frame (PSGI 1.102): an array, a file handle
# or an object with `getline`, or a callback that streams.
package Portico::Answer;
use strict;
use warnings;
use Scalar::Util qw(blessed reftype);
use Time::HiRes qw(time);
use Portico::Chunks  ();
use Portico::File    ();
use Portico::Frames;
use Portico::Head    ();
use Portico::Load    ();
use Portico::Process ();
use Portico::Request ();
use Portico::Trace   ();
use Portico::Writer  ();

# The last bytes of an exception that are sent on; a recursion's can be very long.
use constant LONGEST_TRACE => 65_536;
use constant FAILURE_HEAD  => "Internal Server Error\r\nContent-Type: text/plain; charset=utf-8\r\n";

# Thrown when the visitor, or the server, is gone: nobody waits for this answer any more.
my $LEFT = bless {}, 'Portico::Left';

sub new {
    my ($class, $link, $id) = @_;
    return bless {
        link      => $link,
        id        => $id,
        began     => time,
        line      => '',
        head      => undef,
        body      => undef,
        # Takes the chunked coding off the body, where it has one.
        chunks => undef,
        # A frame has left: the head can no longer change. The last one has left.
        sent      => 0,
        complete  => 0,
        cancelled => 0,
        # Bytes of DATA that the server will take; declared bytes that are still to come, or -1.
        window => INITIAL_WINDOW,
        left   => -1,
        # Flags of OPENED, once it has come.
        opened => undef,
    }, $class;
}

# The whole life of a request. The environment, which may hold wishes for what comes behind it.
sub run {
    my ($self, $application, $flags, $payload) = @_;
    ($self->{line}, my ($env, $body)) = Portico::Request::environment($flags, $payload);
    if (!$env) {
        $self->refuse;
        return {};
    }
    $env->{'psgix.informational'} = sub { $self->inform(@_) };
    my ($error, $done);
    {
        local $@;
        # A handler of the application's own stays.
        local $SIG{__DIE__} = $SIG{__DIE__} // \&Portico::Trace::remember;
        local $Portico::Process::guarded = $$;
        $done = eval {
            # At once: the server deletes a file when it likes.
            $env->{'psgi.input'} = Portico::Request::open_body($flags, $body);
            my $response = $application->($env);
            if   (Portico::Load::is_code($response)) { $self->stream($response) }
            else                                     { $self->deliver($response) }
            1;
        };
        $error = $@;
    }
    $self->fail($error) unless $done;
    $self->close;
    return $env;
}

# A request that no environment holds: a NUL in its path.
sub refuse {
    my ($self) = @_;
    $self->{head} = Portico::Head::encode(400, ['Content-Type' => 'text/plain']);
    $self->whole("Bad Request\n");
}

# The delayed answer: `$callback` is given what takes it.
sub stream {
    my ($self, $callback) = @_;
    my $writer;
    $callback->(
        sub {
            my ($response) = @_;
            die "the responder was called twice\n" if $self->{head};
            die "the responder takes an array reference\n" if ref $response ne 'ARRAY';
            return $self->deliver($response) if @$response > 2;
            $self->head(@$response);
            return $writer = Portico::Writer->new($self);
        }
    );
    die "the application returned without calling the responder\n" unless $self->{head};
    die "the application returned without closing the writer\n" if $writer && !$writer->{closed};
}

sub head {
    my ($self, $status, $headers) = @_;
    $self->{head}   = Portico::Head::encode($status, $headers);
    $self->{chunks} = Portico::Chunks->new if $self->{head}{chunked};
}

# An answer that is there: [status, headers, body].
sub deliver {
    my ($self, $response) = @_;
    die 'the application must return an array or a code reference, not '
        . (ref $response || (defined $response ? "'$response'" : 'undef')) . "\n"
        if (reftype($response) // '') ne 'ARRAY';
    die "an answer has a status, headers and a body\n" if @$response != 3;
    my ($status, $headers, $body) = @$response;
    $self->{body} = $body;
    $self->head($status, $headers);
    if (ref $body eq 'ARRAY') {
        my $all = @$body == 1 ? $body->[0] // '' : join '', map { $_ // '' } @$body;
        return $self->whole(bytes($all)) unless $self->{chunks};
        $self->emit($all);
        return $self->finish;
    }
    if ((reftype($body) // '') eq 'GLOB' || blessed($body) && $body->can('getline')) {
        return if Portico::File::send($self, $body);
        local $/ = \65_536;
        while (defined(my $piece = $body->getline)) {
            $self->emit($piece);
            last if $self->{complete};
            $self->{link}->look or $self->{cancelled} = 1;
            return if $self->{cancelled};
        }
        return $self->finish;
    }
    die 'the body must be an array of strings, a file handle or an object with getline, not '
        . (ref $body || (defined $body ? "'$body'" : 'undef')) . "\n";
}

# Strings of bytes, whatever Perl keeps them as.
sub bytes {
    my ($data) = @_;
    die "wide character in the body: encode it first\n" unless utf8::downgrade($data, 1);
    return $data;
}

sub bodiless {
    my ($self) = @_;
    my $status = $self->{head}{status};
    return $status == 204 || $status == 304 || $self->{line} =~ /\AHEAD\0/;
}

# Sends a piece of the body; returns when the next one may be asked for.
sub emit {
    my ($self, $data) = @_;
    $data = bytes($data // '');
    $data = $self->{chunks}->decode($data) if $self->{chunks};
    die $LEFT if $self->{cancelled};
    return if $data eq '';
    if (!$self->{sent}) {
        my $declared = $self->{head}{declared};
        return $self->respond('', $declared) if $self->bodiless;
        return $self->respond($data, $declared) if $declared == length $data && $declared <= MAX_WHOLE;
        $self->{left} = $declared;
        $self->{sent} = 1;
        return $self->data($data, $self->head_frame(HEAD, $declared, 0));
    }
    if   (!$self->{complete}) { $self->data($data) }
    elsif (!$self->bodiless)  { $self->log_excess }
}

# Sends DATA frames within the window, the first behind `$before`.
sub data {
    my ($self, $data, $before) = @_;
    $before //= '';
    if ($self->{left} >= 0) {
        if ($self->{left} < length $data) {
            $self->log_excess;
            $data = substr $data, 0, $self->{left};
        }
        $self->{left} -= length $data;
    }
    my $at = 0;
    while ($at < length $data) {
        if ($self->{window} <= 0) {
            $self->push_frame($before) if $before ne '';
            $before = '';
            $self->{link}->wait_until(sub { $self->{window} > 0 });
            die $LEFT if $self->{cancelled};
        }
        my $size = $self->{window} < MAX_DATA ? $self->{window} : MAX_DATA;
        my $piece = substr $data, $at, $size;
        $at += length $piece;
        $self->{window} -= length $piece;
        $self->push_frame($before . frame($self->{id}, DATA, 0, 0, $piece));
        $before = '';
    }
    $self->push_frame($before) if $before ne '';
}

sub push_frame {
    my ($self, $frame) = @_;
    return if $self->{link}->send_now($frame);
    $self->{cancelled} = 1;
    die $LEFT;
}

# Sends an answer of which the whole body is known.
sub whole {
    my ($self, $body) = @_;
    my $size     = length $body;
    my $declared = $self->{head}{declared};
    if ($self->bodiless) {
        # An empty body tells nothing of the one that GET would have brought.
        $declared = $size if $declared < 0 && $size && $self->{line} =~ /\AHEAD\0/ && $self->{head}{status} != 204;
        return $self->respond('', $declared);
    }
    if ($declared > $size || $size > MAX_WHOLE) {
        $self->{left} = $declared;
        $self->{sent} = 1;
        $self->data($body, $self->head_frame(HEAD, $declared < 0 ? $size : $declared, 0));
        return $self->finish;
    }
    if ($declared >= 0 && $declared < $size) {
        $self->log_excess;
        $body = substr $body, 0, $declared;
    }
    $self->respond($body, $declared);
}

sub head_frame {
    my ($self, $type, $declared, $more) = @_;
    my ($status, $flags, $text) = @{ $self->{head} }{qw(status flags text)};
    return pack('VVCCvVVq<', 16 + length($text) + $more, $self->{id}, $type, $flags, $status,
        length $text, $self->microseconds, $declared) . $text;
}

sub microseconds {
    my $took = int((time - $_[0]{began}) * 1e6);
    return $took < 0 ? 0 : $took > 0xFFFF_FFFF ? 0xFFFF_FFFF : $took;
}

sub respond {
    my ($self, $body, $declared) = @_;
    $self->{complete} = $self->{sent} = 1;
    $self->{link}->send_soon($self->head_frame(RESPONSE, $declared, length $body) . $body);
}

# Ends an answer that the application has ended.
sub finish {
    my ($self) = @_;
    return if $self->{complete};
    my $declared = $self->{head}{declared};
    die "the body ended within a chunk\n" if $self->{chunks} && !$self->bodiless && !$self->{chunks}->complete;
    if (!$self->{sent}) {
        return $self->respond('', $declared) if $self->bodiless || $declared <= 0;
        $self->{left} = $declared;
        $self->push_frame($self->head_frame(HEAD, $declared, 0));
    }
    my $short = $self->{left} > 0;
    $self->log("the application declared $declared bytes and sent " . ($declared - $self->{left})) if $short;
    $self->end($short ? FAILED : 0);
}

sub end {
    my ($self, $flags) = @_;
    $self->{complete} = 1;
    $self->{link}->send_now(frame($self->{id}, END_OF_ANSWER, $flags, 0, pack 'V', $self->microseconds));
}

# An interim answer (RFC 8297).
sub inform {
    my ($self, $status, $headers) = @_;
    return if $self->{sent} || $status < 102 || $status > 199;
    my $fields = Portico::Head::encode(200, $headers)->{text};
    $self->push_frame(frame($self->{id}, INFORM, 0, $status, substr $fields, 2));
}

# The application died.
sub fail {
    my ($self, $error) = @_;
    return if ref $error eq 'Portico::Left' && $self->{cancelled};
    die $error if ref $error eq 'Portico::Garbage';
    my $text = Portico::Trace::text($error);
    utf8::encode($text) if utf8::is_utf8($text);
    $self->log("the application failed\n$text" =~ s/\n+\z//r);
    return if $self->{complete} || $self->{cancelled};
    return $self->end(FAILED) if $self->{sent};
    $text = substr $text, -LONGEST_TRACE if length $text > LONGEST_TRACE;
    $self->{head} = { status => 500, flags => FAILED, declared => -1, text => FAILURE_HEAD };
    $self->respond($text, -1);
}

# Always, whatever happened before. The server has heard the end of it then.
sub close {
    my ($self) = @_;
    # The last frame tells the server that this worker is free again.
    $self->end(FAILED) if $self->{cancelled} && !$self->{complete};
    my $body = $self->{body};
    return if !defined $body || ref $body eq 'ARRAY';
    local $@;
    my $closed = eval {
        if    (blessed($body) && $body->can('close')) { $body->close }
        elsif ((reftype($body) // '') eq 'GLOB')      { CORE::close($body) }
        1;
    };
    $self->log('close() of the body failed' . "\n$@") unless $closed;
}

sub log_excess {
    my ($self) = @_;
    $self->log("the application sent more than the $self->{head}{declared} bytes it declared");
}

sub log {
    my ($self, $message) = @_;
    # From the frame, not the environment: that is the application's to change. No query: it may be secret.
    my ($method, $script, $path, @more) = split /\0/, $self->{line}, -1;
    # Where requests have names, it comes behind the length.
    my $name = @more && $more[-1] =~ / (\S+)\z/ ? " (request $1)" : '';
    $_ //= '' for $method, $script, $path;
    print STDERR "portico: $method $script$path$name: $message\n";
}

1;
