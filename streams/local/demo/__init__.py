"""The whole pipeline on one machine: four processes, a stream of events, an account of each."""
