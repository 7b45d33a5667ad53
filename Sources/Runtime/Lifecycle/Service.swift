/// Something that runs for as long as its process, or until it is told to stop.
public protocol Service: Sendable {
    /// Runs until the task is cancelled; then drains what it has begun and returns.
    /// - Throws: when it cannot go on; the whole group then stops.
    func run() async throws
}
