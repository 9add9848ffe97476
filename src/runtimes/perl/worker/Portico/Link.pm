# The worker link: one connection to one server thread, from the first try to its end.
#
# It is read by whoever waits for something: the worker's loop, or an answer that waits for its window.
# Requests that come meanwhile wait in `requests`.
package Portico::Link;
use strict;
use warnings;
use Errno qw(EAGAIN EINTR);
use Socket qw(AF_UNIX SOCK_STREAM MSG_DONTWAIT MSG_NOSIGNAL pack_sockaddr_un);
use Time::HiRes qw(time);
use Portico::Frames;

# Answers are held back at most this long, in seconds, and up to this many bytes, to share a write.
use constant LONGEST_HOLD => 0.001;
use constant MOST_HELD    => 65_536;
# After a request that took longer than LONGEST_HOLD so many answers leave one by one: where some
# requests are slow, an answer must not wait for the end of the one behind it.
use constant EAGER_ANSWERS => 1000;
use constant READ          => 65_536;
# Bytes of requests kept aside while one is answered; more is not a server of ours.
use constant MOST_KEPT => 4 * MAX_FRAME;
# Seconds before the first and before every later try to reach a server that is gone.
use constant FIRST_BACK_OFF   => 0.02;
use constant LONGEST_BACK_OFF => 1.0;

sub new {
    my ($class, $path, $hello) = @_;
    return bless {
        path     => $path,
        hello    => $hello,
        socket   => undef,
        next_try => 0,
        back_off => FIRST_BACK_OFF,
        # The connection has failed, or the server has closed it.
        broken => 0,
        # The server has said QUIT; it knows that this worker wants to go.
        quit    => 0,
        leaving => 0,
        buffer  => '',
        missing => 0,
        # [id, flags, payload] of requests to come, and the bytes of these.
        requests => [],
        kept     => 0,
        # The answer under way.
        answer     => undef,
        held       => '',
        held_since => 0,
        eager      => 0,
    }, $class;
}

# Tries once. False: not before `next_try`.
sub connect {
    my ($self) = @_;
    socket my $socket, AF_UNIX, SOCK_STREAM, 0 or die "socket: $!\n";
    $self->{socket} = $socket;
    if (CORE::connect($socket, pack_sockaddr_un($self->{path}))
        && $self->send_bytes(frame(0, HELLO, 0, 0, $self->{hello})))
    {
        $self->{back_off} = FIRST_BACK_OFF;
        return 1;
    }
    $self->close;
    $self->{broken}   = 0;
    $self->{next_try} = time + $self->{back_off};
    $self->{back_off} = LONGEST_BACK_OFF if ($self->{back_off} *= 2) > LONGEST_BACK_OFF;
    return 0;
}

sub close {
    my ($self) = @_;
    $self->{broken} = 1;
    CORE::close($self->{socket}) if defined $self->{socket};
    $self->{socket} = undef;
}

# Closes this link, which is broken for good, and gives one to the server's next self.
sub successor {
    my ($self) = @_;
    $self->close;
    my $link = ref($self)->new($self->{path}, $self->{hello});
    $link->{next_try} = time + $link->{back_off};
    return $link;
}

# Reads once, and waits for something to come unless `$flags` says MSG_DONTWAIT.
sub receive {
    my ($self, $flags) = @_;
    my $size = $self->{missing} > READ ? $self->{missing} : READ;
    if (!defined recv $self->{socket}, my $data, $size, $flags // 0) {
        $self->{broken} = 1 unless $!{EINTR} || $!{EAGAIN};
    }
    elsif ($data eq '') { $self->{broken} = 1 }
    else {
        $self->{buffer} .= $data;
        $self->sort_frames;
    }
    return !$self->{broken};
}

# Takes in what has come, without waiting.
sub look { $_[0]->receive(MSG_DONTWAIT) }

# Waits until `$ready->()`, or until the answer under way is cancelled.
sub wait_until {
    my ($self, $ready) = @_;
    my $answer = $self->{answer};
    until ($ready->() || $answer->{cancelled}) {
        $answer->{cancelled} = 1 unless $self->flush && $self->receive;
    }
}

# Puts the complete frames in hand where they belong.
sub sort_frames {
    my ($self) = @_;
    my $at  = 0;
    my $end = length $self->{buffer};
    $self->{missing} = 0;
    while ($end - $at >= FRAME_HEAD) {
        my ($length, $id, $type, $flags) = unpack 'VVCC', substr $self->{buffer}, $at, FRAME_HEAD;
        garbage("frame of type $type with $length bytes on a worker link")
            if $length > MAX_FRAME || $type != REQUEST && ($type < CANCEL || $type > OPENED);
        my $stop = $at + FRAME_HEAD + $length;
        if ($stop > $end) {
            $self->{missing} = $stop - $end;
            last;
        }
        my $payload = substr $self->{buffer}, $at + FRAME_HEAD, $length;
        $at = $stop;
        if    ($type == REQUEST) { $self->keep([$id, $flags, $payload]) }
        elsif ($type == QUIT)    { $self->{quit} = 1 }
        else                     { $self->tell($id, $type, $flags, $payload) }
    }
    substr $self->{buffer}, 0, $at, '';
}

sub keep {
    my ($self, $request) = @_;
    $self->{kept} += length $request->[2];
    garbage("more than ${\ MOST_KEPT} bytes of requests at once") if $self->{kept} > MOST_KEPT;
    push @{ $self->{requests} }, $request;
}

# The next request, without waiting.
sub next_request {
    my ($self) = @_;
    my $request = shift @{ $self->{requests} } or return undef;
    $self->{kept} -= length $request->[2];
    return $request;
}

# A control frame, for the answer under way or for a request that waits behind it.
sub tell {
    my ($self, $id, $type, $flags, $payload) = @_;
    my $answer = $self->{answer};
    if (defined $answer && $answer->{id} == $id) {
        if    ($type == WINDOW) { $answer->{window} += unpack 'V', $payload }
        elsif ($type == OPENED) { $answer->{opened}    = $flags }
        else                    { $answer->{cancelled} = 1 }
    }
    elsif ($type == CANCEL) {
        my @others = grep { $_->[0] != $id } @{ $self->{requests} };
        return if @others == @{ $self->{requests} };
        $self->{requests} = \@others;
        $self->{held} .= frame($id, END_OF_ANSWER, FAILED, 0, pack 'V', 0);
    }
}

# Holds an answer back only for the sake of those behind it: nobody knows what the application does
# before it asks for the next request.
sub send_soon {
    my ($self, $frame) = @_;
    $self->{held_since} = time if $self->{held} eq '';
    $self->{held} .= $frame;
    $self->flush if $self->{eager} || !@{ $self->{requests} } || length $self->{held} > MOST_HELD;
}

sub send_now {
    my ($self, $frame) = @_;
    $self->{held} .= $frame;
    return $self->flush;
}

# False: the server is gone.
sub flush {
    my ($self) = @_;
    return !$self->{broken} if $self->{held} eq '';
    my $bytes = $self->{held};
    $self->{held} = '';
    return $self->send_bytes($bytes);
}

# What the time means that a request took which began at `$began`. Nobody may ask again for what is not
# safe: its answer waits for nobody.
sub served {
    my ($self, $began, $method) = @_;
    my $now = time;
    if    ($now - $began >= LONGEST_HOLD) { $self->{eager} = EAGER_ANSWERS }
    elsif ($self->{eager})                { $self->{eager}-- }
    my $at_once = $self->{eager} || $method ne 'GET';
    $self->flush if $self->{held} ne '' && ($at_once || $now - $self->{held_since} >= LONGEST_HOLD);
}

# Tells the server to send no more requests: its QUIT will be behind all that it has sent.
sub leave {
    my ($self) = @_;
    return if $self->{leaving};
    $self->{leaving} = 1;
    $self->send_now(frame(0, LEAVING, 0, 0, ''));
}

sub send_bytes {
    my ($self, $bytes) = @_;
    my $at = 0;
    while (!$self->{broken} && $at < length $bytes) {
        my $sent = send $self->{socket}, $at ? substr($bytes, $at) : $bytes, MSG_NOSIGNAL;
        if   (defined $sent) { $at += $sent }
        else                 { $self->{broken} = 1 unless $!{EINTR} }
    }
    return !$self->{broken};
}

1;
