# Stacks as the application's owner wants to read them: of the application's own frames, without
# arguments, which may hold secrets.
package Portico::Trace;
use strict;
use warnings;
use POSIX ();
use Scalar::Util qw(refaddr);

use constant MOST_FRAMES => 100;

# The frames above the one that is `$skip` above this, as lines.
sub stack {
    my ($skip) = @_;
    my $text = '';
    for my $depth ($skip .. $skip + MOST_FRAMES) {
        my (undef, $file, $line, $name) = caller $depth or last;
        next if $name eq "Portico::Process::leave";
        # Whoever called the application is of no interest.
        last if $file =~ m{/Portico/\w+\.pm\z};
        $text .= "\t" . plain($name) . " called at $file line $line\n";
    }
    return $text;
}

# The package that Plack has made up for the file says nothing.
sub plain { return $_[0] =~ s/\APlack::Sandbox::\w+:://r }

# Where the last exception came from: a handler for `local $SIG{__DIE__}`, and what it saw.
my ($seen, $where);

sub remember {
    ($seen, $where) = ($_[0], stack(2));
    return;
}

# The text of an exception, with the stack where it is known.
sub text {
    my ($error) = @_;
    my $text = eval { "$error" } // 'an exception that has no text';
    $text .= "\n" if $text !~ /\n\z/;
    $text .= $where if defined $seen && same($seen, $error);
    ($seen, $where) = ();
    return $text;
}

sub same {
    my ($one, $other) = map { refaddr $_ } @_;
    return defined $one ? defined $other && $one == $other : !defined $other && $_[0] eq $_[1];
}

# `$number` is immediate, not when Perl finds it safe: it comes when a request is stuck, and before this
# process is killed for it, or while it sleeps. `$gentle` waits until it is.
sub show_on_signal {
    my ($number, $gentle) = @_;
    my $show = sub {
        my $text = "Stack of process $$ (most recent call first):\n";
        for my $depth (0 .. MOST_FRAMES) {
            my (undef, $file, $line, $name) = caller $depth or last;
            my $sub = (caller $depth + 1)[3];
            $text .= "  File \"$file\", line $line in " . plain($sub // 'main') . "\n";
        }
        POSIX::write(2, $text, length $text);
    };
    for my $each ($number, $gentle) {
        my $action = POSIX::SigAction->new($show, POSIX::SigSet->new, POSIX::SA_RESTART());
        $action->safe($each == $gentle);
        POSIX::sigaction($each, $action);
    }
}

1;
