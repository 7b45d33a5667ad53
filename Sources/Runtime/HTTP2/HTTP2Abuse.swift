/// What a peer did too often. The raw value is the debug text of the GOAWAY
/// (ENHANCE_YOUR_CALM) that ends its connection, and a metric's label.
public enum HTTP2Abuse: String, Sendable, CaseIterable {
    /// PING, by the budget or by the owner's own rule (gRPC A8).
    case pings = "too_many_pings"
    /// SETTINGS (CVE-2019-9515).
    case settings = "too_many_settings"
    /// Frames that carry nothing: DATA without bytes, informational responses.
    case emptyFrames = "too_many_empty_frames"
    /// RST_STREAM (rapid reset, CVE-2023-44487).
    case resets = "too_many_resets"
    /// Streams that we had to reset because of what the peer sent (CVE-2025-8671).
    case forcedResets = "too_many_forced_resets"
    /// Streams beyond what we take.
    case refusedStreams = "too_many_refused_streams"
    /// WINDOW_UPDATE that our own DATA does not explain.
    case windowUpdates = "too_many_window_updates"
    /// What the library itself counts: CONTINUATION frames of one block, entries of one SETTINGS,
    /// answers that the peer does not read.
    case flood = "flood"
    /// A header block that was begun and not finished in time.
    case slowHeaders = "header_timeout"
}
