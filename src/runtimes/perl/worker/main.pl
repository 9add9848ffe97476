# Entry of the warm parent of a PSGI application: `perl /path/to/main.pl`, with the supervisor on
# descriptor 3 (src/runtimes/runtime.ts). Core modules only, and Plack to load the application.
use strict;
use warnings;
use 5.010;
use Cwd ();
use File::Basename ();

use lib File::Basename::dirname(Cwd::abs_path(__FILE__));

BEGIN {
    # An application that exits must not take this process with it. Must come before it is compiled.
    *CORE::GLOBAL::exit = sub (;$) { Portico::Process::leave(@_ ? $_[0] : 0) };
}

use Portico::Parent;
use Portico::Process;
use Portico::Worker;

# What the application loads is its own.
no lib File::Basename::dirname(Cwd::abs_path(__FILE__));

my $parent = Portico::Parent->new;
my $slot   = $parent->run;
if (defined $slot) {
    Portico::Process::become_worker($parent, $slot);
    Portico::Worker->new($parent, $slot)->run;
}
CORE::exit(0);
