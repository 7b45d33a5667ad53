import Testing

/// Everything here drives the real executable. One at a time: the machine has two cores, and
/// outages and races are told apart from load only when nothing else runs.
@Suite(.serialized) enum EndToEnd {}
