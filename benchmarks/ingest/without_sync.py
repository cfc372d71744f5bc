"""The node's command line with the syncs of received files taken out, to see what they cost; nobody may run it so."""

from dicomnode import spool
from dicomnode.cli import main

spool.sync_file = lambda _descriptor: None
spool.sync_directory = lambda _directory: None
main()
