"""The pure core: what is decided about a record, without I/O, clock or Faust."""
