"""What `make mask-report` measures masking with: made-up messages, and the report."""
