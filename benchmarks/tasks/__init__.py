"""One task a file; each file holds one `task` with its competitors."""
