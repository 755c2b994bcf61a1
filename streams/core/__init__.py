"""The pure core: it decides about each record, without I/O, clock or Faust."""
