# The warm parent: loads the application once, forks workers from there, reports their ends.
#
# One loop acts on what the supervisor says (descriptor 3) and on workers that ended (a self-pipe).
package Portico::Parent;
use strict;
use warnings;
use IO::Handle ();
use POSIX qw(WNOHANG);
use Portico::Control ();
use Portico::Load    ();
use Portico::Process ();

# A retiring worker is reminded this often, in seconds: it may have been between two system calls.
use constant REMIND         => 1.0;
use constant LONGEST_DETAIL => 65_536;

sub new {
    my ($class) = @_;
    $SIG{INT} = 'IGNORE';    # Ctrl-C is the supervisor's
    pipe my $read, my $write or die "pipe: $!\n";
    return bless {
        control  => Portico::Control->new,
        workers  => {},                    # pid => slot
        retiring => {},
        quitting => 0,
        # Its other end closes with this process, however this process ends.
        lifeline => [$read, $write],
    }, $class;
}

# The slot, in a worker that was just forked; undef when the parent is to exit.
sub run {
    my ($self) = @_;
    my $messages = [];
    while (!@$messages) { $messages = $self->{control}->read or return undef }
    $self->configure(shift @$messages);
    my $wake = $self->watch_signals;
    while (1) {
        for my $message (@$messages) {
            my $slot = $self->act($message);
            return $slot if defined $slot;
        }
        $messages = [];
        return undef if $self->{quitting} && !%{ $self->{workers} };
        my $ready = '';
        vec($ready, $_, 1) = 1 for fileno $wake, $self->{control}->fileno;
        my $found = select $ready, undef, undef, %{ $self->{retiring} } ? REMIND : undef;
        if ($found > 0 && vec $ready, fileno $wake, 1) {
            sysread $wake, my $bytes, 4096;
            $self->reap;
        }
        if ($found > 0 && vec $ready, $self->{control}->fileno, 1) {
            $messages = $self->{control}->read or return $self->kill_all;
        }
        kill $Portico::Process::RETIRE, keys %{ $self->{retiring} };
    }
}

sub configure {
    my ($self, $settings) = @_;
    $self->{settings} = $settings;
    chdir $settings->{app}{dir} or die "$settings->{app}{dir}: $!\n";
    # The file may hang: then nobody reads the control channel to see the supervisor gone.
    Portico::Process::end_with_creator();
    $self->{application} = eval { Portico::Load::load($settings) };
    if (defined $self->{application}) {
        return $self->{control}->say('loaded', version => sprintf '%vd', $^V);
    }
    my $detail = "$@";
    $detail = substr $detail, -LONGEST_DETAIL if length $detail > LONGEST_DETAIL;
    $self->{control}->say('failed', detail => $detail);
}

# Sets the parent's own signals, after the load so that an application cannot undo them.
sub watch_signals {
    my ($self) = @_;
    pipe my $read, my $write or die "pipe: $!\n";
    $_->blocking(0) for $read, $write;
    $self->{wake} = [$read, $write];
    # What the application itself set; workers get it back.
    $self->{inherited} = { map { $_ => $SIG{$_} } 'CHLD', 'TERM' };
    $SIG{CHLD} = sub { syswrite $write, '!' };
    $SIG{TERM} = sub { $self->{quitting} = 1; syswrite $write, '!' };
    $SIG{INT}  = 'IGNORE';
    # A worker inherits these until it has its own: one that is just born must not die of them.
    for my $number ($Portico::Process::RETIRE, $Portico::Process::TRACEBACK, $Portico::Process::GENTLE) {
        $SIG{ Portico::Process::name($number) } = 'IGNORE' if $number != POSIX::SIGTERM();
    }
    return $read;
}

sub act {
    my ($self, $message) = @_;
    my $kind = $message->{type};
    return $self->spawn($message->{slot}) if $kind eq 'spawn';
    if ($kind eq 'quit') {
        $self->{quitting} = 1;
        $self->retire($_) for keys %{ $self->{workers} };
        return;
    }
    my %signals = (kill => POSIX::SIGKILL(), traceback => $Portico::Process::TRACEBACK, retire => 0);
    $signals{traceback} = 0 if $message->{goesOn};
    my $signal = $signals{$kind};
    if (!defined $signal) {
        $self->kill_all;
        die "unknown control message '$kind'\n";
    }
    for my $pid (grep { $self->{workers}{$_} == $message->{slot} } keys %{ $self->{workers} }) {
        if    ($signal)              { kill $signal, $pid }
        elsif ($kind eq 'traceback') { kill Portico::Process::gentle($pid), $pid }
        else                         { $self->retire($pid) }
    }
    return;
}

sub retire {
    my ($self, $pid) = @_;
    $self->{retiring}{$pid} = 1;
    kill $Portico::Process::RETIRE, $pid;
    return;
}

# The slot in the new process, nothing in this one.
sub spawn {
    my ($self, $slot) = @_;
    die "`spawn` before the application was loaded\n" unless $self->{application};
    return if $self->{quitting};
    STDOUT->flush;
    my $pid = fork;
    die "fork: $!\n" unless defined $pid;
    if ($pid) {
        $self->{workers}{$pid} = $slot;
        $self->{control}->say('spawned', slot => $slot + 0, pid => $pid + 0);
        return;
    }
    for my $name (keys %{ $self->{inherited} }) { $SIG{$name} = $self->{inherited}{$name} // 'DEFAULT' }
    close $_ for @{ $self->{wake} }, $self->{lifeline}[1];
    $self->{control}->close;
    return $slot;
}

sub reap {
    my ($self) = @_;
    if ($self->{quitting}) { $self->{retiring}{$_} = 1 for keys %{ $self->{workers} } }
    for my $pid (keys %{ $self->{workers} }) {
        my $ended = waitpid $pid, WNOHANG;
        next if $ended == 0;
        my $status = $ended == $pid ? $? : 0;    # else the application waited for it
        my $slot   = delete $self->{workers}{$pid};
        delete $self->{retiring}{$pid};
        my $signal = $status & 127;
        $self->{control}->say(
            'exited',
            slot   => $slot + 0,
            pid    => $pid + 0,
            code   => $signal ? undef   : $status >> 8,
            signal => $signal ? $signal : undef,
        );
    }
}

sub kill_all {
    my ($self) = @_;
    my @pids = keys %{ $self->{workers} };
    kill 'KILL', @pids;
    waitpid $_, 0 for @pids;
    return undef;
}

1;
