# Loads the application from its file; says what is wrong where that fails.
package Portico::Load;
use strict;
use warnings;
use File::Spec ();
use Scalar::Util qw(blessed reftype);
use Portico::Process ();

# The application. Dies with what the owner should read.
sub load {
    my ($settings) = @_;
    my $app = $settings->{app};
    # Carton's and the project's own modules, where there are any.
    require lib;
    for my $folder (map { File::Spec->catdir($app->{dir}, @$_) } ['local', 'lib', 'perl5'], ['lib']) {
        lib->import($folder) if -d $folder;
    }
    $ENV{PLACK_ENV} //= $settings->{dev} ? 'development' : 'deployment';
    die "there is no file $app->{file}; check `psgi:`\n" unless -f $app->{file};
    eval { require Plack::Util; 1 }
        or die "a PSGI application needs Plack, which $^X does not find; install it with `cpanm Plack` "
        . "(Debian: `apt install libplack-perl`), or name another Perl with `interpreter:`\n$@";
    local $Portico::Process::guarded = $$;
    my $found = Plack::Util::load_psgi($app->{file});
    return $found if is_code($found);
    die "$app->{file} must end with a PSGI application, which is a code reference; it gives "
        . (defined $found ? ref $found || "'$found'" : 'undef') . "\n";
}

sub is_code {
    my ($found) = @_;
    return 1 if (reftype($found) // '') eq 'CODE';
    return blessed($found) && overload::Method($found, '&{}');
}

1;
