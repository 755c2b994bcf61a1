"""Past events through today's rules: which calls would get a code now and did not then."""
