"""What `tenon doctor` looks at: each module returns findings, and takes what it looks at as arguments."""
