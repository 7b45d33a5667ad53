/// What the flags of `watch` say.
struct WatchSettings: Sendable {
    var resume: [ResumeRule] = []
    var backoff = Duration.seconds(1)
    var maxBackoff = Duration.seconds(30)
    /// Reconnects without a message in between; nil is no limit.
    var retries: Int?
    var untilEnd = false
}
