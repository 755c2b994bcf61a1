"""What ``benchmarks.fuzz`` writes, answers and judges."""
