# What makes a forked process a worker: its end with its parent, its signals, its log.
package Portico::Process;
use strict;
use warnings;
use Config ();
use IO::Handle ();
use JSON::PP   ();
use POSIX      ();
use Socket qw(AF_UNIX SOCK_STREAM pack_sockaddr_un);
use Portico::Trace ();

# Real-time signals, which applications hardly ever use; others where the system has none.
my $rt = eval { POSIX::SIGRTMIN() };
our $TRACEBACK = $rt ? $rt + 11 : POSIX::SIGUSR2();
# The same for a process that is to go on: Perl shows its stack between two of its steps.
our $GENTLE    = $rt ? $rt + 13 : POSIX::SIGUSR1();
our $RETIRE    = $rt ? $rt + 12 : POSIX::SIGTERM();

my @names = split ' ', $Config::Config{sig_name};

# As %SIG has it.
sub name { return $names[$_[0]] }

# prctl(2) by machine: Perl has no name for it without headers.
my %prctl = (x86_64 => 157, aarch64 => 167, i686 => 172, i386 => 172, arm => 172, riscv64 => 167);
use constant PR_SET_PDEATHSIG => 1;

# The kernel kills this process when the one that started it ends. False where it cannot.
sub end_with_creator {
    my $number = $^O eq 'linux' ? $prctl{ (POSIX::uname())[4] } : undef;
    return defined $number && syscall($number, PR_SET_PDEATHSIG, POSIX::SIGKILL(), 0, 0, 0) == 0;
}

# The signal that makes a process show its stack without harm. A handler that runs at once may only meet
# one that sleeps in the kernel, and has for a while: in the middle of a step, memory may be half changed.
# One that computes shows it after that step.
sub gentle {
    my ($pid) = @_;
    my $before = asleep($pid) or return $GENTLE;
    select undef, undef, undef, 0.02;
    return asleep($pid) eq $before ? $TRACEBACK : $GENTLE;
}

# How often it has gone to sleep, '' where it is awake or nobody can tell.
sub asleep {
    my ($pid) = @_;
    open my $file, '<', "/proc/$pid/status" or return '';
    my $text = do { local $/; <$file> } // '';
    return $text =~ /^State:\s+S\b/m && $text =~ /^voluntary_ctxt_switches:\s*(\d+)/m ? $1 : '';
}

# While the application runs in this process, what it does with `exit` is an exception.
our $guarded = 0;

sub leave {
    my ($code) = @_;
    die Portico::Exit->new($code) if $guarded == $$;
    CORE::exit($code);
}

sub become_worker {
    my ($parent, $slot) = @_;
    end_with_creator();
    # It may have died before the kernel knew: then the other end is closed already.
    $parent->{lifeline}[0]->blocking(0);
    my $gone = sysread $parent->{lifeline}[0], my $nothing, 1;
    POSIX::_exit(1) if defined $gone && $gone == 0;
    my $app = $parent->{settings}{app};
    open_log($parent->{settings}{log}, { app => $app->{name}, slot => $slot + 0, pid => $$ });
    Portico::Trace::show_on_signal($TRACEBACK, $GENTLE);
    srand;    # else every worker draws the same numbers
}

# Sends this process's stdout and stderr to the supervisor. Without it they stay the parent's.
sub open_log {
    my ($path, $introduction) = @_;
    my $line = JSON::PP->new->ascii->encode($introduction) . "\n";
    my $log;
    if (   socket($log, AF_UNIX, SOCK_STREAM, 0)
        && connect($log, pack_sockaddr_un($path))
        && syswrite($log, $line))
    {
        POSIX::dup2(fileno $log, $_) for 1, 2;
        close $log;
    }
    else { print STDERR "portico: no log socket at $path: $!\n" }
    STDOUT->autoflush(1);
}

package Portico::Exit;
use overload '""' => sub { "the application called exit($_[0]{code})" }, fallback => 1;

sub new { my ($class, $code) = @_; return bless { code => $code }, $class }

1;
