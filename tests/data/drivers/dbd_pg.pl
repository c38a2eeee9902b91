# DBD::Pg, at host and port in the arguments.
use strict;
use warnings;
use DBI;

my ($host, $port) = @ARGV;
my $db = DBI->connect("dbi:Pg:dbname=any;host=$host;port=$port;sslmode=disable", "me", "any", { RaiseError => 1, PrintError => 0 });
$db->ping or die "no ping";
my ($points) = $db->selectrow_array("SELECT tier, cap_points, points FROM account_rows WHERE id = ?", undef, 7);
defined $points or die "no row";
$db->begin_work;
$db->pg_savepoint("a");
eval { $db->do("SELECT nothing FROM nowhere") } and die "no error";
$db->state eq "42601" or die $db->state;
$db->pg_rollback_to("a");
$db->commit;
$db->disconnect;
